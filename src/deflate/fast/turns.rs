#![expect(unsafe_code, reason = "a loop in assembly")]
//! HOT PATH. The steps of the fastest level as [`super::steps`] takes them, of three streams in turn, in assembly: the
//! compiler needs twice as many instructions, most of which move what it has no registers for.
//!
//! Registers: `rdi` is the data, `rsi` the tables of the first stream, behind which those of the others are. A stream
//! has two: its position, and where its next draft goes. `rax`, `rbx`, `rcx`, `rdx`, `rbp` and `r15` are free in a
//! step, `r14` is 3. On the stack: the steps to come, the number 2, then a byte for each stream
//! that says whether its last step found nothing.
//!
//! A candidate is the complement of its dist less 1, as a number of 64 bits: what is added to a position to come to
//! that before the match, and what a draft has.

use std::arch::asm;

use super::effort::{MAX_STREAMS, Thoroughness};
use super::steps::{FEW_COMPARED, MANY_COMPARED, PREFETCHED};
use super::tables::Tables;
use super::{Segment, Token};

/// Bits of an index into tables.
pub(super) const BITS: u32 = super::BITS;

/// Whether this is a level whose steps are written here.
pub(super) const fn can_take<T: Thoroughness>() -> bool {
    !T::HAS_LONG && !T::HAS_SHORTEST && !T::IS_LAZY && T::BACK == 3 && T::IN_LONG == 4
}

/// Positions from `$base` on are inserted: rax, rcx are lost.
macro_rules! insert {
    ($tables:literal, $base:literal, $($offset:literal)*) => {
        concat!($(
            "lea rax, [", $base, " + ", $offset, "]\n",
            "imul ecx, dword ptr [rdi + ", $base, " + ", $offset, "], {factor}\n shr ecx, {shift}\n",
            "mov word ptr [rsi + rcx*2 + ", $tables, "], ax\n",
        )*)
    };
}
/// Inserts the three positions before the stream's, it and the next one. rdx, rbx = candidates; rax = the next position
macro_rules! look_up {
    ($tables:literal, $pos:literal, $pos_word:literal) => {
        concat!(
            insert!($tables, $pos, "-3" "-2" "-1"),
            "imul ecx, dword ptr [rdi + ", $pos, "], {factor}\n shr ecx, {shift}\n",
            "movzx edx, word ptr [rsi + rcx*2 + ", $tables, "]\n",
            "mov word ptr [rsi + rcx*2 + ", $tables, "], ", $pos_word, "\n",
            "lea rax, [", $pos, " + 1]\n",
            "imul ecx, dword ptr [rdi + ", $pos, " + 1], {factor}\n shr ecx, {shift}\n",
            "movzx ebx, word ptr [rsi + rcx*2 + ", $tables, "]\n",
            "mov word ptr [rsi + rcx*2 + ", $tables, "], ax\n",
            "sub rdx, ", $pos, "\n or rdx, -32768\n",
            "sub rbx, rax\n or rbx, -32768\n",
            "lea rcx, [rdi + ", $pos, "]\n",
        )
    };
}
/// rax, rcx = how many bytes from rcx, rcx + 1 on are equal to those of the candidates.
macro_rules! compare_32 {
    () => {
        "vmovdqu ymm0, [rcx]\n vpcmpeqb ymm0, ymm0, [rcx + rdx]\n vpmovmskb eax, ymm0\n
         vmovdqu ymm1, [rcx + 1]\n vpcmpeqb ymm1, ymm1, [rcx + rbx + 1]\n vpmovmskb ecx, ymm1\n
         inc eax\n inc ecx\n tzcnt eax, eax\n tzcnt ecx, ecx\n"
    };
}
macro_rules! compare_64 {
    () => {
        "vmovdqu ymm0, [rcx]\n vpcmpeqb ymm0, ymm0, [rcx + rdx]\n vpmovmskb eax, ymm0\n
         vmovdqu ymm0, [rcx + 32]\n vpcmpeqb ymm0, ymm0, [rcx + rdx + 32]\n vpmovmskb r15d, ymm0\n
         vmovdqu ymm1, [rcx + 1]\n vpcmpeqb ymm1, ymm1, [rcx + rbx + 1]\n vpmovmskb ebp, ymm1\n
         vmovdqu ymm1, [rcx + 33]\n vpcmpeqb ymm1, ymm1, [rcx + rbx + 33]\n vpmovmskb ecx, ymm1\n
         shl r15, 32\n or rax, r15\n inc rax\n tzcnt rax, rax\n
         shl rcx, 32\n or rcx, rbp\n inc rcx\n tzcnt rcx, rcx\n"
    };
}
macro_rules! compare_64_avx512 {
    () => {
        "vmovdqu64 zmm0, [rcx]\n vpcmpneqb k1, zmm0, [rcx + rdx]\n kmovq rax, k1\n tzcnt rax, rax\n
         vmovdqu64 zmm1, [rcx + 1]\n vpcmpneqb k2, zmm1, [rcx + rbx + 1]\n kmovq rcx, k2\n tzcnt rcx, rcx\n"
    };
}
/// eax = the longer one of two lengths and 3, rdx = its candidate, ebp = whether it is at the next position. Goes to
/// 3$i if there is more to compare; 4$i is behind that.
#[rustfmt::skip]
macro_rules! choose {
    ($i:literal, $pos:literal) => {
        concat!(
            "cmp eax, r14d\n cmovb eax, r14d\n",
            "xor ebp, ebp\n cmp eax, ecx\n setb bpl\n cmovb eax, ecx\n cmovb rdx, rbx\n",
            "cmp eax, {compared}\n je 3", $i, "f\n 4", $i, ":\n",
            "prefetcht0 [rdi + ", $pos, " + {prefetched}]\n",
        )
    };
}
/// Two literals go to the first place; ebx = the draft of the match.
#[rustfmt::skip]
macro_rules! draft {
    ($pos:literal, $draft:literal) => {
        concat!(
            "rorx ebx, eax, 16\n xor ebx, edx\n",
            "movzx edx, word ptr [rdi + ", $pos, "]\n mov dword ptr [", $draft, "], edx\n",
        )
    };
}
/// Goes on by rcx bytes and ebp + 1 drafts; that of the match goes to the place of number edx.
#[rustfmt::skip]
macro_rules! go_on {
    ($pos:literal, $draft:literal) => {
        concat!(
            "mov dword ptr [", $draft, " + rdx*4], ebx\n",
            "lea ", $draft, ", [", $draft, " + rbp*4 + 4]\n",
            "add ", $pos, ", rcx\n",
        )
    };
}
/// Two literals, or a literal that a match follows, go to the first place; the draft of a match goes to the place that
/// it takes, or to one behind.
#[rustfmt::skip]
macro_rules! take {
    ($i:literal, $pos:literal, $draft:literal) => {
        concat!(
            draft!($pos, $draft),
            "lea ecx, [rax + rbp*2]\n",
            "cmp eax, 4\n setae byte ptr [", $draft, " + 2]\n",
            // Without a match eax is 3 and ebp 0: two bytes.
            "mov edx, ebp\n adc edx, 0\n sub ecx, edx\n",
            go_on!($pos, $draft),
        )
    };
}
/// The same, and two more literals if the last step found nothing, either.
#[rustfmt::skip]
macro_rules! take_binary {
    ($i:literal, $pos:literal, $draft:literal) => {
        concat!(
            draft!($pos, $draft),
            "movzx edx, word ptr [rdi + ", $pos, " + 2]\n mov dword ptr [", $draft, " + 4], edx\n",
            "movzx r15d, byte ptr [rsp + 16 + ", $i, "]\n",
            "lea ecx, [rax + rbp]\n lea edx, [r15 + r15 + 2]\n",
            "cmp eax, 4\n setae byte ptr [", $draft, " + 2]\n",
            "cmovb ecx, edx\n",
            "mov edx, ebp\n cmovb edx, dword ptr [rsp + 8]\n",
            "cmovb ebp, r15d\n",
            "setb byte ptr [rsp + 16 + ", $i, "]\n",
            go_on!($pos, $draft),
        )
    };
}
/// Compares the rest of a match, and inserts four positions in it.
macro_rules! extend {
    ($i:literal, $tables:literal, $pos:literal) => {
        concat!(
            "3", $i, ":\n",
            "lea rcx, [rdi + ", $pos, "]\n add rcx, rbp\n lea rbx, [rcx + rdx]\n",
            "5:\n",
            "vmovdqu ymm0, [rcx + rax]\n vpcmpeqb ymm0, ymm0, [rbx + rax]\n vpmovmskb r15d, ymm0\n",
            "vmovdqu ymm1, [rcx + rax + 32]\n vpcmpeqb ymm1, ymm1, [rbx + rax + 32]\n vpmovmskb r14d, ymm1\n",
            "shl r14, 32\n or r15, r14\n inc r15\n jnz 6f\n",
            "add eax, 64\n cmp eax, 258\n jb 5b\n",
            "6:\n",
            "tzcnt r15, r15\n add eax, r15d\n",
            "mov ecx, 258\n cmp eax, ecx\n cmova eax, ecx\n",
            "lea r15, [", $pos, " + rbp]\n mov ebx, eax\n",
            insert!($tables, "r15", "1" "4" "7" "10"),
            "mov eax, ebx\n mov r14d, 3\n jmp 4", $i, "b\n",
        )
    };
}

/// Takes `steps` steps, one or more, in each segment, as [`Fast::take_steps`](super::Fast::take_steps) does.
///
/// # Safety
/// As there; the processor has AVX2, BMI1 and BMI2; a window does not reach back to before the buffer.
pub(super) unsafe fn take<T: Thoroughness, const COMPARED: usize>(
    buf: &[u8],
    tables: &mut [Tables; MAX_STREAMS],
    segments: &mut [Segment; MAX_STREAMS],
    steps: usize,
    has_avx512: bool,
) {
    const { assert!(COMPARED == FEW_COMPARED || COMPARED == MANY_COMPARED) };
    let mut pos = segments.each_ref().map(|segment| segment.pos);
    let begins = segments.each_mut().map(|segment| segment.tokens.as_mut_ptr());
    let counts = segments.each_ref().map(|segment| segment.count);
    let mut drafts: [*mut Token; MAX_STREAMS] = std::array::from_fn(|i| begins[i].wrapping_add(counts[i]));
    macro_rules! turns {
        ($compare:ident, $take:ident) => {
            asm!(
                "push rbx\n push rbp\n push 0x010101\n push 2\n push rax",
                "mov r14d, 3",
                ".p2align 5",
                "2:",
                concat!(look_up!("0", "r8", "r8w"), $compare!(), choose!("0", "r8"), $take!("0", "r8", "r9")),
                concat!(look_up!("{tables}", "r10", "r10w"), $compare!(), choose!("1", "r10"), $take!("1", "r10", "r11")),
                concat!(look_up!("2*{tables}", "r12", "r12w"), $compare!(), choose!("2", "r12"), $take!("2", "r12", "r13")),
                "dec dword ptr [rsp]\n jnz 2b\n jmp 7f",
                extend!("0", "0", "r8"),
                extend!("1", "{tables}", "r10"),
                extend!("2", "2*{tables}", "r12"),
                "7:",
                "add rsp, 24\n pop rbp\n pop rbx\n vzeroupper",
                factor = const super::super::chain::HASH_FACTOR as i32,
                shift = const 32 - BITS,
                tables = const size_of::<Tables>(),
                compared = const COMPARED,
                prefetched = const PREFETCHED,
                in("rdi") buf.as_ptr(),
                in("rsi") tables.as_mut_ptr(),
                inout("r8") pos[0],
                inout("r9") drafts[0],
                inout("r10") pos[1],
                inout("r11") drafts[1],
                inout("r12") pos[2],
                inout("r13") drafts[2],
                inout("rax") steps as u64 => _,
                out("r14") _,
                out("r15") _,
                // And all vector registers, of which nothing but the lower half is left.
                clobber_abi("sysv64"),
            )
        };
    }
    // SAFETY: the caller's: every place that a step looks at is in the data, and of drafts there are never more than
    // bytes before a position, with room for three more, as a margin is to come. Indexes have `BITS` bits.
    unsafe {
        match (COMPARED, T::SKIPS) {
            (FEW_COMPARED, false) => turns!(compare_32, take),
            (FEW_COMPARED, true) => turns!(compare_32, take_binary),
            (_, is_binary) => match (has_avx512, is_binary) {
                (true, false) => turns!(compare_64_avx512, take),
                (true, true) => turns!(compare_64_avx512, take_binary),
                (false, false) => turns!(compare_64, take),
                (false, true) => turns!(compare_64, take_binary),
            },
        }
    }
    for (i, segment) in segments.iter_mut().enumerate() {
        segment.pos = pos[i];
        segment.count = (drafts[i] as usize - begins[i] as usize) / size_of::<Token>();
    }
}
