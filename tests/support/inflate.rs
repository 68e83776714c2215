//! Comparison of `rigz::inflate` with zlib-ng, shared by tests and the fuzz target.

use rigz::backend::zlib_ng;
use rigz::inflate::bits::Bits;
use rigz::inflate::commands::{Executed, Paused, Progressed, Reached, SLACK, Scout, Span, Walk, Why};
use rigz::inflate::header::{Header, Progress};
use rigz::inflate::table::Tables;
use rigz::inflate::{Decoder, MAX_MATCH_LEN, Stop, WINDOW_LEN, Work, decode_and_scout, decode_two, find};

/// A small generator of numbers that are random enough (Knuth's multiplier).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// A number less than `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }
}

/// What becomes of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// `NeedsInput` if the stream is cut off.
    pub(crate) stop: Stop,
    /// Bytes of input to the stream's end; 0 if it has none.
    pub(crate) consumed: usize,
    pub(crate) data: Vec<u8>,
}

impl Outcome {
    fn summary(&self) -> String {
        format!("{:?}, {} bytes used, {} bytes of data", self.stop, self.consumed, self.data.len())
    }
}

pub(crate) fn by_zlib(packed: &[u8]) -> Outcome {
    let (mut decoder, mut data, mut at) = (zlib_ng::Decoder::new(), Vec::with_capacity(1 << 12), 0);
    loop {
        let step = decoder.decode(&packed[at..], &mut data);
        at += step.consumed;
        let (stop, consumed) = match step.stop {
            zlib_ng::Stop::End => (Stop::End, at),
            zlib_ng::Stop::Violated => (Stop::Violated, 0),
            zlib_ng::Stop::Pause if data.len() == data.capacity() => {
                data.reserve(1 << 16);
                continue;
            }
            zlib_ng::Stop::Pause => (Stop::NeedsInput, 0),
        };
        return Outcome { stop, consumed, data };
    }
}

/// Decodes in steps; `cut` says how much input and how much room each gets at most. Returns with
/// the outcome where it was reached, in bits.
pub(crate) fn in_steps(packed: &[u8], cut: impl FnMut() -> (usize, usize)) -> (Outcome, u64) {
    in_steps_by(Decoder::new(), packed, cut)
}

fn in_steps_by(
    mut decoder: Decoder,
    packed: &[u8],
    mut cut: impl FnMut() -> (usize, usize),
) -> (Outcome, u64) {
    let (mut data, mut at, mut garbage) = (Vec::new(), 0, 0u8);
    let mut idle = 0;
    loop {
        let (input_len, room) = cut();
        let input = &packed[at..packed.len().min(at + input_len)];
        // Only the window is there, and the room is full of something else each time.
        let window_len = decoder.window_len();
        let mut buf = data[data.len() - window_len..].to_vec();
        garbage = garbage.wrapping_add(101);
        buf.resize(window_len + room, garbage);
        let step = decoder.decode(input, &mut buf, window_len);
        assert!(step.consumed <= input.len());
        data.extend_from_slice(&buf[window_len..step.out_pos]);
        at += step.consumed;
        assert!(decoder.pos() <= 8 * at as u64 && decoder.pos() + 64 > 8 * at as u64);
        idle = if step.consumed == 0 && step.out_pos == window_len { idle + 1 } else { 0 };
        let (stop, consumed) = match step.stop {
            Stop::End => (Stop::End, at),
            Stop::Violated => (Stop::Violated, 0),
            Stop::Block | Stop::Paused => panic!("nobody wants to know"),
            Stop::NeedsRoom => {
                assert!(step.out_pos == buf.len() && idle < 1000);
                continue;
            }
            Stop::NeedsInput => {
                assert!(step.consumed == input.len() && idle < 1000);
                if at < packed.len() {
                    continue;
                }
                (Stop::NeedsInput, 0)
            }
        };
        assert_eq!(decoder.decode(&packed[at..], &mut buf, step.out_pos).stop, stop, "said again");
        return (Outcome { stop, consumed, data }, decoder.pos());
    }
}

/// Decodes the stream twice at the same time, once with little and once with much room at a time.
fn beside_itself(packed: &[u8]) -> [(Outcome, u64); 2] {
    let mut decoders = [Decoder::new(), Decoder::new()];
    let (mut outs, mut out_pos, mut at) = ([vec![], vec![]], [0, 0], [0, 0]);
    let rooms = [5_000, (1 << 17).min(100 * packed.len() + 512)];
    let mut stops = [Stop::Paused; 2];
    loop {
        let is_live = stops.map(|stop| stop == Stop::Paused);
        let [first, second] = &mut decoders;
        let [first_out, second_out] = &mut outs;
        let steps = match is_live {
            [true, true] => decode_two([
                Work { decoder: first, input: &packed[at[0]..], out: first_out, out_pos: out_pos[0] },
                Work { decoder: second, input: &packed[at[1]..], out: second_out, out_pos: out_pos[1] },
            ])
            .map(Some),
            [first_is, second_is] => [
                first_is.then(|| first.decode(&packed[at[0]..], first_out, out_pos[0])),
                second_is.then(|| second.decode(&packed[at[1]..], second_out, out_pos[1])),
            ],
        };
        for (i, step) in steps.into_iter().enumerate() {
            let Some(step) = step else { continue };
            (at[i], out_pos[i]) = (at[i] + step.consumed, step.out_pos);
            if step.stop == Stop::NeedsRoom {
                outs[i].resize(out_pos[i] + rooms[i], 0xa5);
            } else {
                stops[i] = step.stop;
            }
        }
        if !stops.contains(&Stop::Paused) {
            break;
        }
    }
    let mut outs = outs.into_iter();
    [0, 1].map(|i| {
        let mut data = outs.next().unwrap();
        data.truncate(out_pos[i]);
        let consumed = if stops[i] == Stop::End { at[i] } else { 0 };
        (Outcome { stop: stops[i], consumed, data }, decoders[i].pos())
    })
}

/// Decodes by way of commands: two scouts side by side, the second one from a block in the middle if
/// one is found; what they leave is decoded in order. `room` says how much output is made at a time.
fn by_commands(packed: &[u8], mut scouts: [Scout; 2], mut room: impl FnMut() -> usize) -> (Outcome, u64) {
    for scout in &mut scouts {
        // No command takes less than a bit.
        scout.commands.clear((8 * packed.len()).min(1 << 16));
    }
    let all = Span { from: 0, to: u64::MAX, limit: u64::MAX };
    let spans = match find(packed, 4 * packed.len() as u64, u64::MAX) {
        Some(from) => vec![Span { to: from, ..all }, Span { from, ..all }],
        None => vec![all],
    };
    let reached = match spans[..] {
        [first, second] => {
            let [one, two] = scouts.each_mut();
            let (mut one, mut two) = (Walk::begin(one, packed, first), Walk::begin(two, packed, second));
            Walk::go_on_two([&mut one, &mut two]);
            vec![end(one), end(two)]
        }
        _ => vec![end(Walk::begin(&mut scouts[0], packed, all))],
    };
    let (mut data, mut pos, mut why) = (Vec::new(), 0, Why::Done);
    for ((scout, span), reached) in scouts.iter().zip(spans).zip(reached) {
        if span.from != pos || why != Why::Done {
            break;
        }
        if execute(scout, packed, &mut data, &mut room) == Executed::Violated {
            return (Outcome { stop: Stop::Violated, consumed: 0, data }, 0);
        }
        (pos, why) = (reached.pos, reached.why);
    }
    finish(packed, data, pos, why)
}

/// Goes on to the end of a walk.
fn end(mut walk: Walk<'_, &mut Scout>) -> Reached {
    loop {
        walk.go_on();
        if let Some(reached) = walk.reached() {
            return reached;
        }
    }
}

/// Executes the commands of `scout` behind `data`.
fn execute(scout: &Scout, packed: &[u8], data: &mut Vec<u8>, mut room: impl FnMut() -> usize) -> Executed {
    let mut done = Progressed::default();
    loop {
        let window_len = data.len().min(WINDOW_LEN);
        let mut buf = data[data.len() - window_len..].to_vec();
        buf.resize(window_len + room() + MAX_MATCH_LEN + SLACK, 0x5a);
        let (end, executed) = scout.commands.execute(&mut done, packed, &mut buf, 0, window_len);
        data.extend_from_slice(&buf[window_len..end]);
        match executed {
            Executed::NeedsRoom => assert!(end > window_len),
            other => return other,
        }
    }
}

/// Decodes what is behind bit `pos` in order, if anything is.
fn finish(packed: &[u8], mut data: Vec<u8>, pos: u64, why: Why) -> (Outcome, u64) {
    if why == Why::End {
        return (Outcome { stop: Stop::End, consumed: (pos / 8) as usize, data }, pos);
    }
    let (begin, len) = ((pos / 8) as usize, data.len());
    let mut decoder = Decoder::portable();
    decoder.reset_at((pos % 8) as u32, len);
    let mut at = begin;
    loop {
        let out_pos = data.len();
        data.resize(out_pos + (1 << 16).min(100 * packed.len() + 512), 0);
        let step = decoder.decode(&packed[at..], &mut data, out_pos);
        at += step.consumed;
        data.truncate(step.out_pos);
        if step.stop != Stop::NeedsRoom {
            let consumed = if step.stop == Stop::End { at } else { 0 };
            return (Outcome { stop: step.stop, consumed, data }, 8 * begin as u64 + decoder.pos());
        }
    }
}

/// Decodes with scouts beside the decoder that begin somewhere ahead in the same block, by as much as `ahead` says, in
/// bits. `room` says how much output is made at a time.
fn beside_scouts(
    packed: &[u8],
    mut ahead: impl FnMut() -> u64,
    mut room: impl FnMut() -> usize,
) -> (Outcome, u64) {
    let (mut scout, mut decoder) = (Scout::default(), Decoder::new());
    let (mut data, mut at) = (Vec::new(), 0);
    loop {
        scout.commands.clear((8 * packed.len()).min(1 << 16));
        let from = decoder.pos() + ahead();
        let mut walk = if scout.enter(&decoder) { scout.begin_inside(packed, from, u64::MAX) } else { None };
        let start = walk.as_ref().map(|walk| walk.start());
        let input_end =
            start.map_or(at + 1 + (from % 64) as usize, |start| (start / 8) as usize).min(packed.len());
        // What is found holds for this block.
        decoder.stop_at(if walk.is_some() { decoder.pos() + 1 } else { u64::MAX });
        let stop = loop {
            let window_len = decoder.window_len();
            let mut out = data[data.len() - window_len..].to_vec();
            out.resize(window_len + room(), 0x5a);
            let input = &packed[at..input_end];
            let step = match &mut walk {
                Some(walk) => {
                    let work = Work { decoder: &mut decoder, input, out: &mut out, out_pos: window_len };
                    decode_and_scout(work, walk)
                }
                None => decoder.decode(input, &mut out, window_len),
            };
            at += step.consumed;
            data.extend_from_slice(&out[window_len..step.out_pos]);
            if step.stop != Stop::NeedsRoom {
                break step.stop;
            }
        };
        match stop {
            Stop::Block => {}
            Stop::NeedsInput if input_end < packed.len() => {}
            _ => {
                let consumed = if stop == Stop::End { at } else { 0 };
                return (Outcome { stop, consumed, data }, decoder.pos());
            }
        }
        let Some((walk, start)) = walk.zip(start).filter(|(_, start)| decoder.is_at_symbol(*start)) else {
            continue;
        };
        let paused = walk.pause();
        if execute(&scout, packed, &mut data, &mut room) == Executed::Violated {
            return (Outcome { stop: Stop::Violated, consumed: 0, data }, 0);
        }
        match paused {
            Paused::Inside { bits, .. } => {
                decoder.take_over(&mut scout, bits, 0, data.len());
                at = (decoder.input_pos() / 8) as usize;
            }
            Paused::Outside(reached) if reached.pos > start => {
                return finish(packed, data, reached.pos, reached.why);
            }
            Paused::Outside(_) => {}
        }
    }
}

/// Compares all cuttings with zlib-ng, whose outcome it returns.
pub(crate) fn same_as_zlib(packed: &[u8], what: &str) -> Outcome {
    let expected = by_zlib(packed);
    let check = |cutting: &str, (outcome, pos): (Outcome, u64)| {
        let is_same = outcome == expected
            || (outcome.stop, expected.stop) == (Stop::Violated, Stop::NeedsInput)
                && outcome.data == expected.data
                && is_behind_empty_precode(packed, pos as usize);
        let (ours, zlibs) = (outcome.summary(), expected.summary());
        assert!(is_same, "{what}, {cutting}, at bit {pos}: {ours}; zlib: {zlibs}");
    };
    let room = expected.data.len() + 512;
    let all = || (usize::MAX >> 1, room);
    check("at once", in_steps(packed, all));
    check("portable", in_steps_by(Decoder::portable(), packed, all));
    let [little, much] = beside_itself(packed);
    check("two at a time, little room", little);
    check("two at a time, much room", much);
    let mut random = Random(!packed.len() as u64);
    check("commands", by_commands(packed, Default::default(), || 1 + random.below(70_000)));
    let portable = [Scout::portable(), Scout::portable()];
    check("commands, portable", by_commands(packed, portable, || 1 + random.below(70_000)));
    let mut other = Random(packed.len() as u64 + 1);
    for ahead in [100, 40_000] {
        let scouts = beside_scouts(packed, || other.below(ahead) as u64, || 1 + random.below(70_000));
        check("scouts beside", scouts);
    }
    if expected.data.len() <= 3000 {
        check("byte for byte in", in_steps(packed, || (1, room)));
        check("byte for byte out", in_steps(packed, || (1 << 14, 1)));
        check("byte for byte", in_steps(packed, || (1, 1)));
    }
    let mut random = Random(packed.len() as u64);
    check("random cuts", in_steps(packed, || (random.below(900), 1 + random.below(70_000))));
    if expected.data.len() <= 40_000 {
        check("short random cuts", in_steps(packed, || (random.below(40), random.below(400))));
    }
    expected
}

/// Whether a dynamic header ends at bit `pos` whose precode lengths are all 0. That is where zlib
/// goes on to the end of the block's lengths, all of which are then 0 too.
fn is_behind_empty_precode(packed: &[u8], pos: usize) -> bool {
    let bits = |at: usize, len: usize| {
        (at..at + len).rev().fold(0, |bits, at| bits << 1 | usize::from(packed[at / 8] >> (at % 8) & 1))
    };
    (4..=19).any(|count| {
        pos.checked_sub(3 + 14 + 3 * count).is_some_and(|start| {
            bits(start + 1, 2) == 2
                && bits(start + 13, 4) + 4 == count
                && (0..count).all(|i| bits(start + 17 + 3 * i, 3) == 0)
        })
    })
}

/// Whether a dynamic block that is not the last one begins at bit `pos`, with codes that the
/// decoder takes.
pub(crate) fn is_header(bytes: &[u8], pos: u64) -> bool {
    let (mut bits, mut header) = (Bits::at(bytes, pos), Header::new());
    bits.take(3) == Some(0b100)
        && header.read(&mut bits) == Progress::Done
        && Tables::new().build(header.litlen_lens(), header.dist_lens()).is_ok()
}
