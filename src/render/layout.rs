//! Text in columns and lines of a given width.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Row, Table, Width, presets};

/// How wide a column may become.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// As wide as its longest cell: never cut.
    Whole,
    /// At most so wide.
    Upto(u16),
    /// Whatever is left.
    Rest,
}

/// Rows in columns, one line a row, the first one being the heading. Cells that are too long end in `ellipsis`.
pub(super) fn columns(kinds: &[Column], rows: Vec<Vec<String>>, width: usize, ellipsis: &str) -> Vec<String> {
    let mut table = bare(width);
    table.set_truncation_indicator(ellipsis);
    for cells in rows {
        let mut row = Row::from(cells.into_iter().map(Cell::new).collect::<Vec<_>>());
        row.max_height(1);
        table.add_row(row);
    }
    for (index, kind) in kinds.iter().enumerate() {
        let Some(column) = table.column_mut(index) else { continue };
        column.set_padding((0, 2));
        match kind {
            // The padding counts as part of the width.
            Column::Whole => column.set_constraint(ColumnConstraint::ContentWidth),
            Column::Upto(most) => column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(most + 2))),
            Column::Rest => column,
        };
    }
    lines(&table)
}

/// `text` in lines of at most `width` columns: the first one behind `first`, the others behind as many blanks.
pub(super) fn paragraph(first: &str, text: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(first.chars().count());
    hanging(first, &indent, text, width)
}

/// `text` in lines of at most `width` columns: the first one behind `first`, the others behind `rest`, both ASCII.
pub(super) fn hanging(first: &str, rest: &str, text: &str, width: usize) -> Vec<String> {
    let mut table = bare(width.saturating_sub(first.len().max(rest.len())).max(20));
    table.add_row([text]);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 0));
    }
    let numbered = lines(&table).into_iter().enumerate();
    numbered.map(|(number, line)| format!("{}{line}", if number == 0 { first } else { rest })).collect()
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    let mut table = bare(usize::MAX);
    table.add_row([text]);
    table.column_max_content_widths().first().map_or(0, |width| usize::from(*width))
}

/// `text` in at most so many columns; where it is cut, it ends in `ellipsis`.
pub(super) fn fit(text: &str, most: usize, ellipsis: char) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most).collect();
    while width(&short) >= most && short.pop().is_some() {}
    short.push(ellipsis);
    short
}

fn bare(width: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    table
}

fn lines(table: &Table) -> Vec<String> {
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_never_too_long() {
        let text = "pciback passed over it without a word because uhci_hcd already had the device when it looked";
        let lines = paragraph("  ", text, 40);
        assert!(lines.iter().all(|line| line.chars().count() <= 40), "{lines:#?}");
        assert_eq!(lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "), text);
        let word = "x".repeat(100);
        assert!(paragraph("- ", &word, 40).iter().all(|line| line.chars().count() <= 40));
    }

    #[test]
    fn wide_letters_take_two_columns() {
        assert_eq!((width("gaia"), width("gäia"), width("控制器")), (4, 4, 6));
        assert_eq!((fit("gaia", 4, '…').as_str(), fit("gaia", 3, '…').as_str()), ("gaia", "ga…"));
        assert_eq!((fit("控制器", 6, '…').as_str(), fit("控制器", 5, '~').as_str()), ("控制器", "控制~"));
        assert_eq!(fit("控制器", 4, '~'), "控~");
    }

    #[test]
    fn only_the_last_columns_are_cut() {
        let rows = vec![
            vec!["ADDRESS".to_owned(), "NAME".to_owned()],
            vec!["10000:e1:00.0".to_owned(), "Intel Corporation ".repeat(5)],
        ];
        let lines = columns(&[Column::Whole, Column::Rest], rows, 40, "…");
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("10000:e1:00.0  Intel"), "{lines:#?}");
        assert!(lines[1].ends_with('…') && lines[1].chars().count() <= 40, "{lines:#?}");
    }
}
