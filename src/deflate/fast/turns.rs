#![expect(unsafe_code, reason = "a loop in assembly")]
//! HOT PATH. The steps of the two fastest levels as [`super::steps`] takes them, of three streams in turn, in assembly:
//! the compiler needs twice as many instructions, most of which move what it has no registers for.
//!
//! Registers: `rdi` is the data, `rsi` the tables of the first stream, behind which those of the others are. A stream
//! has two: its position, and where its next draft goes. `rax`, `rbx`, `rcx`, `rdx`, `rbp` and `r15` are free in a
//! step; `r14` is what is needed most, `{kept}`: 3, or the factor of hashes of seven bytes, or of five. On the stack: the
//! steps to come, the number 2, that below the length of the shortest match, then a byte for each stream that says how many pairs of literals more its next
//! step may take.
//!
//! A candidate is the complement of its dist less 1, as a number of 64 bits: what is added to a position to come to
//! that before the match, and what a draft has.
//!
//! Macros name a register that they need in several widths by the end of its name, as `ax`.

use std::arch::asm;

use super::super::chain::{HASH_FACTOR, LONG_HASH_FACTOR};
use super::effort::{MAX_STREAMS, Thoroughness};
use super::steps::{FEW_COMPARED, MANY_COMPARED, PREFETCHED};
use super::tables::{Table, Tables};
use super::{Segment, Token};

/// Bits of an index into tables.
pub(super) const BITS: u32 = super::BITS;

/// What takes four bytes to their hash, eight to that of the first seven, and of the first five, without a shift.
const FACTOR: i32 = HASH_FACTOR as i32;
const LONG_FACTOR: i64 = (LONG_HASH_FACTOR << 8) as i64;
const FIVE_FACTOR: i64 = (LONG_HASH_FACTOR << 24) as i64;

/// Whether this is a level whose steps are written here.
pub(super) const fn can_take<T: Thoroughness>() -> bool {
    !T::HAS_SHORTEST
        && (T::HASHED == 4 || T::HASHED == 5 && !T::HAS_LONG)
        && (T::LEAST_LEN == 4 || T::LEAST_LEN == 5)
        && !T::IS_LAZY
        && T::BACK == 3
        && T::IS_BACK_LONG == (T::HAS_LONG && T::MORE[0] == 0)
        && matches!(
            (T::MORE, T::HAS_LONG),
            ([0, 0, 0] | [4, 4, 4], _) | ([1, 2, 1] | [1, 1, 1], false) | ([1, 0, 0], true)
        )
        && T::IN_LONG == if T::HAS_LONG { 8 } else { 4 }
}

/// rcx = the hash of four bytes.
macro_rules! hash {
    ($pos:literal $($offset:literal)?) => {
        concat!("imul ecx, dword ptr [rdi + ", $pos, $(" + ", $offset,)? "], {factor}\n shr ecx, {shift}\n")
    };
}
/// rcx = the hash of seven bytes, or of five.
macro_rules! long_hash {
    ($pos:literal $($offset:literal)?) => {
        concat!("mov rcx, r14\n imul rcx, qword ptr [rdi + ", $pos, $(" + ", $offset,)? "]\n shr rcx, {long_shift}\n")
    };
}
/// Puts a position into the place of its hash.
macro_rules! put {
    ($pos:literal, $($table:literal)+) => {
        concat!("mov word ptr [rsi + rcx*2 + ", $($table,)+ "], ", $pos, "\n")
    };
}
/// The same; $entry = what was there.
macro_rules! replace {
    ($entry:literal, $pos:literal, $($table:literal)+) => {
        concat!("movzx ", $entry, ", word ptr [rsi + rcx*2 + ", $($table,)+ "]\n", put!($pos, $($table)+))
    };
}
/// Makes a candidate for a position of an entry.
macro_rules! candidate {
    ($entry:literal, $pos:literal) => {
        concat!("sub ", $entry, ", ", $pos, "\n or ", $entry, ", -32768\n")
    };
}
/// Inserts positions: rax, rcx are lost.
macro_rules! insert {
    ($hash:ident, $tables:literal, $pos:literal, $($offset:literal)*) => {
        concat!($("lea rax, [", $pos, " + ", $offset, "]\n", $hash!($pos $offset), put!("ax", $tables),)*)
    };
}
/// The same, into both tables.
#[rustfmt::skip]
macro_rules! insert_both {
    ($tables:literal, $pos:literal, $($offset:literal)*) => {
        concat!($(
            insert!(hash, $tables, $pos, $offset),
            long_hash!($pos $offset), put!("ax", $tables " + {table}"),
        )*)
    };
}
/// Each length = how many bytes of the data at a place are equal to those of a candidate.
#[rustfmt::skip]
macro_rules! compare_32 {
    ($($data:literal: $($len:literal = $candidate:literal),+;)+) => {
        concat!(
            $(
                "vmovdqu ymm1, [", $data, "]\n",
                $("vpcmpeqb ymm0, ymm1, [", $data, " + ", $candidate, "]\n vpmovmskb e", $len, ", ymm0\n",)+
            )+
            $($("inc e", $len, "\n tzcnt e", $len, ", e", $len, "\n",)+)+
        )
    };
}
#[rustfmt::skip]
macro_rules! compare_32_avx512 {
    ($($data:literal: $($len:literal = $candidate:literal),+;)+) => {
        concat!($(
            "vmovdqu ymm0, [", $data, "]\n",
            $(
                "vpcmpneqb k1, ymm0, [", $data, " + ", $candidate, "]\n kmovd e", $len, ", k1\n",
                "tzcnt e", $len, ", e", $len, "\n",
            )+
        )+)
    };
}
#[rustfmt::skip]
macro_rules! compare_64 {
    ($($data:literal: $($len:literal = $candidate:literal),+;)+) => {
        concat!(
            $(
                "vmovdqu ymm1, [", $data, "]\n vmovdqu ymm2, [", $data, " + 32]\n",
                $(
                    "vpcmpeqb ymm0, ymm2, [", $data, " + ", $candidate, " + 32]\n vpmovmskb r14d, ymm0\n",
                    "vpcmpeqb ymm0, ymm1, [", $data, " + ", $candidate, "]\n vpmovmskb e", $len, ", ymm0\n",
                    "shl r14, 32\n or r", $len, ", r14\n",
                )+
            )+
            $($("inc r", $len, "\n tzcnt r", $len, ", r", $len, "\n",)+)+
            "mov r14, {kept}\n",
        )
    };
}
#[rustfmt::skip]
macro_rules! compare_64_avx512 {
    ($($data:literal: $($len:literal = $candidate:literal),+;)+) => {
        concat!($(
            "vmovdqu64 zmm0, [", $data, "]\n",
            $(
                "vpcmpneqb k1, zmm0, [", $data, " + ", $candidate, "]\n kmovq r", $len, ", k1\n",
                "tzcnt r", $len, ", r", $len, "\n",
            )+
        )+)
    };
}
/// Inserts the three positions before the stream's, it and the next one. rdx, rbx = candidates for these two; eax, ecx =
/// how many bytes are equal.
#[rustfmt::skip]
macro_rules! look_up_by {
    ($hash:ident, $compare:ident, $tables:literal, $pos:literal, $pos_word:literal) => {
        concat!(
            insert!($hash, $tables, $pos, "-3" "-2" "-1"),
            $hash!($pos), replace!("rdx", $pos_word, $tables),
            "lea rax, [", $pos, " + 1]\n",
            $hash!($pos "1"), replace!("rbx", "ax", $tables),
            candidate!("rdx", $pos), candidate!("rbx", "rax"),
            "lea rcx, [rdi + ", $pos, "]\n",
            $compare!("rcx": "ax" = "rdx"; "rcx + 1": "cx" = "rbx";),
        )
    };
}
macro_rules! look_up {
    ($($more:tt)+) => {
        look_up_by!(hash, $($more)+)
    };
}
/// The same by five bytes.
macro_rules! look_up_5 {
    ($($more:tt)+) => {
        look_up_by!(long_hash, $($more)+)
    };
}
/// The same with both tables: the longer ones of two candidates each.
macro_rules! look_up_both {
    ($compare:ident, $tables:literal, $pos:literal, $pos_word:literal) => {
        concat!(
            insert_both!($tables, $pos, "-3" "-2" "-1"),
            longer_both!($compare, $tables, $pos, $pos_word),
        )
    };
}
/// The same, but those before the stream's are inserted into the first table only.
macro_rules! look_up_both_binary {
    ($compare:ident, $tables:literal, $pos:literal, $pos_word:literal) => {
        concat!(
            insert!(hash, $tables, $pos, "-3" "-2" "-1"),
            longer_both!($compare, $tables, $pos, $pos_word),
        )
    };
}
/// What both do for the stream's position and the next one.
#[rustfmt::skip]
macro_rules! longer_both {
    ($compare:ident, $tables:literal, $pos:literal, $pos_word:literal) => {
        concat!(
            longer!($compare, $tables, $pos, $pos_word, "rdx", "rbx", "rcx", "ax", "cx"),
            "lea rbp, [", $pos, " + 1]\n",
            longer!($compare, $tables, "rbp", "bp", "rbx", "r15", "rbp", "cx", "bp"),
        )
    };
}
/// Inserts a position; $candidate, $len = the longer one of its candidates. $data (also known as $other_len) and
/// $other are lost.
#[rustfmt::skip]
macro_rules! longer {
    ($compare:ident, $tables:literal, $pos:literal, $pos_word:literal,
     $candidate:literal, $other:literal, $data:literal, $len:literal, $other_len:literal) => {
        concat!(
            hash!($pos), replace!($candidate, $pos_word, $tables), candidate!($candidate, $pos),
            long_hash!($pos), replace!($other, $pos_word, $tables " + {table}"), candidate!($other, $pos),
            "lea ", $data, ", [rdi + ", $pos, "]\n",
            $compare!($data: $len = $candidate, $other_len = $other;),
            "cmp e", $len, ", e", $other_len, "\n",
            "cmovb e", $len, ", e", $other_len, "\n cmovb ", $candidate, ", ", $other, "\n",
        )
    };
}
/// eax = the longer one of two lengths and the one below the least, rdx = its candidate, ebp = whether it is at the next position. Goes to
/// 3$i if there is more to compare; 4$i is behind that.
#[rustfmt::skip]
macro_rules! choose {
    ($three:literal, $i:literal, $pos:literal) => {
        concat!(
            "cmp eax, ", $three, "\n cmovb eax, ", $three, "\n",
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
            "lea ecx, [rax + rbp]\n",
            "cmp eax, {least}\n setae byte ptr [", $draft, " + 2]\n",
            "cmovb ecx, dword ptr [rsp + 8]\n mov edx, ebp\n adc edx, 0\n",
            go_on!($pos, $draft),
        )
    };
}
/// The same, and more literals if the last step found nothing, either: two and four in turn.
macro_rules! take_binary {
    ($i:literal, $pos:literal, $draft:literal) => {
        take_more!($i, $pos, $draft, four_pairs, "", "and r15d, 1\n shlx eax, eax, r15d\n")
    };
}
/// The same: always two.
macro_rules! take_text {
    ($i:literal, $pos:literal, $draft:literal) => {
        take_more!($i, $pos, $draft, four_pairs, "", "")
    };
}
/// The same: two and none in turn.
macro_rules! take_binary_in_turn {
    ($i:literal, $pos:literal, $draft:literal) => {
        take_more!($i, $pos, $draft, four_pairs, "", "cmp al, r15b\n seta al\n")
    };
}
/// The same: always eight.
macro_rules! take_bare {
    ($i:literal, $pos:literal, $draft:literal) => {
        take_more!($i, $pos, $draft, eight_pairs, "shl r15d, 2\n", "")
    };
}
macro_rules! four_pairs {
    ($pos:literal, $draft:literal) => {
        concat!("vpmovzxwd xmm0, qword ptr [rdi + ", $pos, "]\n vmovdqu xmmword ptr [", $draft, "], xmm0\n")
    };
}
macro_rules! eight_pairs {
    ($pos:literal, $draft:literal) => {
        concat!("vpmovzxwd ymm0, xmmword ptr [rdi + ", $pos, "]\n vmovdqu ymmword ptr [", $draft, "], ymm0\n")
    };
}
/// $pairs go to the first places. If this step found nothing, one is used, and as many more as the stream's byte says, by $times.
/// $next makes al what it says from now on, of r15d, what it was, and al, whether this step found nothing.
#[rustfmt::skip]
macro_rules! take_more {
    ($i:literal, $pos:literal, $draft:literal, $pairs:ident, $times:literal, $next:literal) => {
        concat!(
            "rorx ebx, eax, 16\n xor ebx, edx\n",
            $pairs!($pos, $draft),
            "movzx r15d, byte ptr [rsp + 24 + ", $i, "]\n", $times,
            "lea ecx, [rax + rbp]\n lea edx, [r15 + r15 + 2]\n",
            "cmp eax, {least}\n setae byte ptr [", $draft, " + 2]\n setb al\n",
            "cmovb ecx, edx\n",
            // A match that is none goes behind all pairs.
            "lea edx, [rbp + 7]\n cmovae edx, ebp\n",
            "cmovb ebp, r15d\n",
            $next, "mov byte ptr [rsp + 24 + ", $i, "], al\n",
            go_on!($pos, $draft),
        )
    };
}
/// Compares the rest of a match, and inserts positions in it.
#[rustfmt::skip]
macro_rules! extend {
    ($i:literal, $pos:literal, $insert:expr) => {
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
            $insert,
            "mov r14, {kept}\n jmp 4", $i, "b\n",
        )
    };
}
/// Four positions from the match's begin on.
#[rustfmt::skip]
macro_rules! insert_near_by {
    ($hash:ident, $tables:literal, $pos:literal) => {
        concat!(
            "lea r15, [", $pos, " + rbp]\n mov ebx, eax\n",
            insert!($hash, $tables, "r15", "1" "4" "7" "10"),
            "mov eax, ebx\n"
        )
    };
}
macro_rules! insert_near {
    ($($more:tt)+) => {
        insert_near_by!(hash, $($more)+)
    };
}
/// The same by five bytes.
macro_rules! insert_near_5 {
    ($($more:tt)+) => {
        concat!("mov r14, {kept}\n", insert_near_by!(long_hash, $($more)+))
    };
}
/// Eight positions all over the match, into the second table.
#[rustfmt::skip]
macro_rules! insert_all_over {
    ($tables:literal, $pos:literal) => {
        concat!(
            "lea r14d, [rax - 3]\n lea r15, [", $pos, " + rbp + 1]\n shl r15, 3\n",
            ".rept 8\n",
            "mov rbx, r15\n shr rbx, 3\n add r15, r14\n",
            "mov rcx, {kept}\n imul rcx, qword ptr [rdi + rbx]\n shr rcx, {long_shift}\n",
            put!("bx", $tables " + {table}"),
            ".endr\n",
        )
    };
}

/// Takes `steps` steps, one or more, in each segment, as [`Fast::take_steps`](super::Fast::take_steps) does.
///
/// # Safety
/// As there; the processor has AVX2, BMI1 and BMI2. Where a window reaches back to before the buffer, tables have nothing but
/// places before their stream's.
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
        ($look_up:ident, $compare:ident, $take:ident, $insert:ident, $three:literal $(, $more:ident = const $value:expr)*) => {
            asm!(
                "push rbx\n push rbp\n push 0x010101\n push {least} - 1\n push 2\n push rax",
                "mov r14, {kept}",
                ".p2align 5",
                "2:",
                concat!($look_up!($compare, "0", "r8", "r8w"), choose!($three, "0", "r8"), $take!("0", "r8", "r9")),
                concat!($look_up!($compare, "{tables}", "r10", "r10w"), choose!($three, "1", "r10"), $take!("1", "r10", "r11")),
                concat!($look_up!($compare, "2*{tables}", "r12", "r12w"), choose!($three, "2", "r12"), $take!("2", "r12", "r13")),
                "dec dword ptr [rsp]\n jnz 2b\n jmp 7f",
                extend!("0", "r8", $insert!("0", "r8")),
                extend!("1", "r10", $insert!("{tables}", "r10")),
                extend!("2", "r12", $insert!("2*{tables}", "r12")),
                "7:",
                "add rsp, 32\n pop rbp\n pop rbx\n vzeroupper",
                least = const T::LEAST_LEN,
                tables = const size_of::<Tables>(),
                compared = const COMPARED,
                prefetched = const PREFETCHED,
                $($more = const $value,)*
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
    macro_rules! turns_of_one {
        ($compare:ident, $take:ident) => {
            turns!(look_up, $compare, $take, insert_near, "r14d", kept = const 3, factor = const FACTOR,
                shift = const 32 - BITS)
        };
    }
    macro_rules! turns_of_five_bytes {
        ($compare:ident, take_binary) => {
            turns_of_five_bytes!($compare, take_text)
        };
        ($compare:ident, $take:ident) => {
            turns!(look_up_5, $compare, $take, insert_near_5, "dword ptr [rsp + 16]", kept = const FIVE_FACTOR,
                long_shift = const 64 - BITS)
        };
    }
    macro_rules! turns_of_both {
        ($compare:ident, take) => {
            turns_of_both!(look_up_both, $compare, take)
        };
        ($compare:ident, take_bare) => {
            turns_of_both!(look_up_both_binary, $compare, take_bare)
        };
        ($compare:ident, take_binary) => {
            turns_of_both!(look_up_both_binary, $compare, take_binary_in_turn)
        };
        ($look_up:ident, $compare:ident, $take:ident) => {
            turns!($look_up, $compare, $take, insert_all_over, "dword ptr [rsp + 16]", kept = const LONG_FACTOR,
                factor = const FACTOR, shift = const 32 - BITS, long_shift = const 64 - BITS,
                table = const size_of::<Table>())
        };
    }
    macro_rules! adapted {
        ($turns:ident) => {
            match (COMPARED, has_avx512, T::MORE[0]) {
                (FEW_COMPARED, true, 0) => $turns!(compare_32_avx512, take),
                (FEW_COMPARED, true, 1) => $turns!(compare_32_avx512, take_binary),
                (FEW_COMPARED, true, _) => $turns!(compare_32_avx512, take_bare),
                (FEW_COMPARED, false, 0) => $turns!(compare_32, take),
                (FEW_COMPARED, false, 1) => $turns!(compare_32, take_binary),
                (FEW_COMPARED, false, _) => $turns!(compare_32, take_bare),
                (_, true, 0) => $turns!(compare_64_avx512, take),
                (_, true, _) => $turns!(compare_64_avx512, take_binary),
                (_, false, 0) => $turns!(compare_64, take),
                (_, false, _) => $turns!(compare_64, take_binary),
            }
        };
    }
    // SAFETY: the caller's: every place that a step looks at is in the data, as what it inserts is before where it goes; of drafts there are never more than
    // bytes before a position, with room for three more, as a margin is to come. Indexes have `BITS` bits.
    unsafe {
        if T::HAS_LONG {
            adapted!(turns_of_both)
        } else if T::HASHED == 5 {
            adapted!(turns_of_five_bytes)
        } else {
            adapted!(turns_of_one)
        }
    }
    for (i, segment) in segments.iter_mut().enumerate() {
        segment.pos = pos[i];
        segment.count = (drafts[i] as usize - begins[i] as usize) / size_of::<Token>();
    }
}
