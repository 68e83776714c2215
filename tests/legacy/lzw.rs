//! An encoder of `.Z`.

use std::collections::HashMap;

/// How a stream is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// The flags' widest code, in bits.
    pub(crate) max_width: u8,
    /// Block mode, and after how many codes the table is cleared.
    pub(crate) clear_every: Option<usize>,
    /// The flags' reserved bits.
    pub(crate) reserved: u8,
}

impl Style {
    pub(crate) fn new(max_width: u8) -> Style {
        Style { max_width, clear_every: Some(usize::MAX), reserved: 0 }
    }
}

/// Groups of eight codes.
struct Codes {
    bytes: Vec<u8>,
    group: u128,
    count: u32,
    width: u32,
}

impl Codes {
    fn put(&mut self, code: u16) {
        assert!(u32::from(code) < 1 << self.width);
        self.group |= u128::from(code) << (self.count * self.width);
        self.count += 1;
        if self.count == 8 {
            self.end_group();
        }
    }

    /// Leaves the rest of the group unused, which nobody may look at.
    fn end_group(&mut self) {
        if self.count > 0 {
            let junk = u128::MAX.checked_shl(self.count * self.width).unwrap_or_default();
            let bytes = (self.group | junk).to_le_bytes();
            self.bytes.extend_from_slice(&bytes[..self.width as usize]);
        }
        (self.group, self.count) = (0, 0);
    }

    fn finish(mut self) -> Vec<u8> {
        let len = (self.count * self.width).div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.group.to_le_bytes()[..len]);
        self.bytes
    }
}

pub(crate) fn encode(data: &[u8], style: Style) -> Vec<u8> {
    let block_mode = style.clear_every.is_some();
    let flags = style.max_width | style.reserved | if block_mode { 0x80 } else { 0 };
    let mut codes = Codes { bytes: vec![0x1f, 0x9d, flags], group: 0, count: 0, width: 9 };
    let first_free = if block_mode { 257 } else { 256 };
    // compress(1) with 9 bits goes on to 10 when the table is full.
    let (max_len, max_width) = (1 << style.max_width, u32::from(style.max_width).max(10));
    let mut table: HashMap<(u16, u8), u16> = HashMap::new();
    let (mut free, mut since_clear): (u32, usize) = (first_free, 0);
    let mut bytes = data.iter().copied().peekable();
    let mut current = bytes.next().map(u16::from);
    while let Some(code) = current {
        let longer = |byte: &u8| table.get(&(code, *byte)).copied();
        if let Some(longer) = bytes.peek().and_then(longer) {
            bytes.next();
            current = Some(longer);
            continue;
        }
        codes.put(code);
        since_clear += 1;
        current = bytes.next().map(u16::from);
        if free == 1 << codes.width && codes.width < max_width {
            codes.end_group();
            codes.width += 1;
        }
        let Some(byte) = current else { break };
        if style.clear_every.is_some_and(|every| since_clear >= every) {
            codes.put(256);
            codes.end_group();
            codes.width = 9;
            table.clear();
            (free, since_clear) = (first_free, 0);
        } else if free < max_len {
            table.insert((code, byte as u8), free as u16);
            free += 1;
        }
    }
    codes.finish()
}
