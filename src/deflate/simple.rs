//! Parsers that do not search.

use std::ops::Range;

use super::token::{MAX_MATCH, MIN_MATCH, Token};

/// Appends every byte of `data` as a literal.
pub(super) fn parse_literals(data: &[u8], tokens: &mut Vec<Token>) {
    tokens.extend(data.iter().map(|byte| Token::literal(*byte)));
}

/// Appends the tokens of `range` of `buf`: matches with the byte before, which may be before the range, and
/// literals.
pub(super) fn parse_runs(buf: &[u8], range: Range<usize>, tokens: &mut Vec<Token>) {
    let mut pos = range.start;
    while pos < range.end {
        let rest = &buf[pos..range.end.min(pos + MAX_MATCH)];
        let len = match pos.checked_sub(1) {
            Some(before) => rest.iter().take_while(|byte| **byte == buf[before]).count(),
            None => 0,
        };
        if len >= MIN_MATCH {
            tokens.push(Token::match_(len, 1));
            pos += len;
        } else {
            tokens.push(Token::literal(buf[pos]));
            pos += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_matches_from_their_second_byte_on() {
        let mut tokens = Vec::new();
        let data = [&b"aabbb"[..], &[b'c'; 262]].concat();
        parse_runs(&data, 0..data.len(), &mut tokens);
        let literals = b"aabbbc".map(Token::literal);
        assert_eq!(tokens, [&literals[..], &[Token::match_(258, 1), Token::match_(3, 1)]].concat());
        tokens.clear();
        parse_runs(b"aaaa", 1..4, &mut tokens);
        assert_eq!(tokens, [Token::match_(3, 1)]);
    }
}
