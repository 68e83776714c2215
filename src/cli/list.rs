//! The table that `-l` prints.

use super::local_time;
use super::report::percent_saved;

/// One row of the table.
#[derive(Debug)]
pub(super) struct Row {
    /// Five characters.
    pub(super) method: &'static str,
    /// Bytes of the compressed file.
    pub(super) packed_len: u64,
    /// Bytes of its first header and last trailer, which do not count against the ratio.
    pub(super) overhead: u64,
    /// Bytes of data.
    pub(super) data_len: u64,
    /// CRC-32, if known.
    pub(super) crc: Option<u32>,
    /// Seconds since 1970.
    pub(super) time: i64,
    /// The name of the uncompressed file.
    pub(super) name: String,
}

/// The table as it grows, row by row.
#[derive(Default)]
pub(super) struct Table {
    is_verbose: bool,
    has_frame: bool,
    rows: usize,
    packed_len: u64,
    /// Of the last row alone: gzip takes no other header off the total either.
    overhead: u64,
    data_len: u64,
}

impl Table {
    /// A table with gzip's `-v` columns or without, with headline and totals or without.
    pub(super) fn new(is_verbose: bool, has_frame: bool) -> Table {
        Table { is_verbose, has_frame, ..Table::default() }
    }

    /// The text of the next row, with the headline before the first one.
    pub(super) fn row(&mut self, row: &Row) -> String {
        let mut text = String::new();
        if self.rows == 0 && self.has_frame {
            if self.is_verbose {
                text.push_str("method  crc     date  time  ");
            }
            text.push_str(&format!("{:>19} {:>19}  ratio uncompressed_name\n", "compressed", "uncompressed"));
        }
        if self.is_verbose {
            let crc = row.crc.map_or(u64::MAX, u64::from);
            text.push_str(&format!("{} {:08x} {} ", row.method, crc, date(row.time)));
        }
        text.push_str(&columns(row.packed_len, row.overhead, row.data_len, &row.name));
        self.rows += 1;
        self.packed_len += row.packed_len;
        self.overhead = row.overhead;
        self.data_len += row.data_len;
        text
    }

    /// The text of the totals, unless there is nothing to add up.
    pub(super) fn totals(&self) -> Option<String> {
        if self.data_len == 0 || !self.has_frame {
            return None;
        }
        let indent = if self.is_verbose { " ".repeat(28) } else { String::new() };
        Some(indent + &columns(self.packed_len, self.overhead, self.data_len, "(totals)"))
    }
}

fn columns(packed_len: u64, overhead: u64, data_len: u64, name: &str) -> String {
    let saved = percent_saved(data_len, packed_len, overhead);
    format!("{packed_len:19} {data_len:19} {saved} {name}\n")
}

/// Local time, as `ls` shows it: "Mar  5 06:07".
fn date(time: i64) -> String {
    local_time(time).strftime("%b %e %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_as_gzip_prints_them() {
        assert_eq!(columns(1_115, 0, 2_400, "f"), "               1115                2400  53.5% f\n");
        assert_eq!(columns(20, 20, 0, "e"), "                 20                   0   0.0% e\n");
    }
}
