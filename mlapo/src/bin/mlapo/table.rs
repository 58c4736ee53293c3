//! Text in aligned columns.

use std::fmt;

/// Rows of cells, printed so that columns align; cells are text and left-aligned, unless the column is of numbers.
#[derive(Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// Columns that are right-aligned.
    numeric: &'static [usize],
    indent: usize,
}

impl Table {
    pub fn new(indent: usize, numeric: &'static [usize]) -> Self {
        Self { rows: Vec::new(), numeric, indent }
    }

    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.map(str::to_owned).to_vec());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let mut line = " ".repeat(self.indent);
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column > 0 {
                    line += "  ";
                }
                line += &match self.numeric.contains(&column) {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align() {
        let mut table = Table::new(1, &[1]);
        table.row(["a", "1", "x"]);
        table.row(["µs", "100", ""]);
        assert_eq!(table.to_string(), " a     1  x\n µs  100\n");
    }
}
