//! The results as tables that read well in a terminal and are Markdown.

use super::figures::{FIGURES, Figure, Kind, Spread};
use super::results::Results;

/// The head of the file that is kept.
pub(super) const HEAD: &str = "\
<!-- Written by `cargo xtask bench`. -->
# Results

How each workload is measured: [README.md](README.md). Raw: [results.json](results.json).
";

/// Ratios between these are the same, as far as such a measurement can tell.
const EVEN: std::ops::RangeInclusive<f64> = 0.97..=1.03;

/// The pairs of runs after which a ratio counts.
const PAIRS: usize = 9;

pub(super) fn write(results: &Results) -> String {
    let quick = if results.quick { " Quick: fewer connections than the titles say." } else { "" };
    let (rounds, seconds) = (results.rounds, results.seconds);
    let thirds = if results.chosen { "" } else { ", of peers that no target is about every third" };
    let mut text = format!("Rounds: {rounds}{thirds}; each measure: {seconds} s.{quick}\n\n");
    for (name, version) in &results.peers {
        text += &format!("- {name} {version}\n");
    }
    for (name, reason) in &results.skipped {
        text += &format!("- {name} skipped: {reason}\n");
    }
    for figure in FIGURES {
        text += &table(results, figure);
    }
    text + &targets(results)
}

fn table(results: &Results, figure: &Figure) -> String {
    let rows: Vec<Vec<String>> =
        results.peers.iter().filter_map(|(peer, _)| row(results, figure, peer)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let to_limit = format!("÷ {}", figure.limit);
    let head = ["", "median", "min – max", "÷ bun", &to_limit, "rounds", "load", "remarks"];
    let unit = figure.unit();
    format!("\n## {}\n{unit}, {}\n\n{}", figure.title, figure.workload, markdown(&head, &rows))
}

fn row(results: &Results, figure: &Figure, peer: &str) -> Option<Vec<String>> {
    let failure = results.failure(figure.workload, peer);
    let Some(spread) = Spread::of(results.values(figure, peer).into_values()) else {
        let mut row = vec![String::new(); 7];
        row[0] = peer.to_owned();
        row.push(format!("failed: {}", failure?));
        return Some(row);
    };
    let ratio = |to: &str| {
        let ratio = results.ratio(figure, peer, to);
        let other = ratio.map_or_else(String::new, |ratio| ratio.show());
        if to == peer { "1".to_owned() } else { other }
    };
    let mut remarks = Vec::new();
    match results.disordered(figure, peer) {
        0 => {}
        count => remarks.push(format!("{count} out of order")),
    }
    remarks.extend(results.stalled(figure, peer));
    remarks.extend(failure.map(|failure| format!("failed at times: {failure}")));
    Some(vec![
        peer.to_owned(),
        figure.show(spread.median),
        format!("{} – {}", figure.show(spread.min), figure.show(spread.max)),
        ratio("bun"),
        ratio(figure.limit),
        spread.count.to_string(),
        load(results, figure, peer).unwrap_or_default(),
        remarks.join("; "),
    ])
}

/// What the load generator needed for each, in the figure's unit.
fn load(results: &Results, figure: &Figure, peer: &str) -> Option<String> {
    if figure.kind != Kind::Cpu {
        return None;
    }
    let runs =
        results.runs.iter().filter(|run| run.peer == peer && run.workload == figure.workload);
    let each = runs.filter_map(|run| {
        let measure = figure.measure(run.outcome.as_ref().ok()?)?;
        Some(measure["load_ns"].as_f64()? / measure["count"].as_f64()?)
    });
    Some(figure.show(Spread::of(each)?.median))
}

/// What ours shall be, and is.
fn targets(results: &Results) -> String {
    let (mut rows, mut fewest, mut missing) = (Vec::new(), usize::MAX, Vec::new());
    let was_run = |figure: &&Figure| results.runs.iter().any(|run| run.workload == figure.workload);
    for figure in FIGURES.iter().filter(was_run) {
        for target in figure.targets {
            let Some(ratio) = results.ratio(figure, target.of, target.to) else {
                missing.push(format!("{} of {} to {}", figure.title, target.of, target.to));
                continue;
            };
            fewest = fewest.min(ratio.count);
            rows.push(vec![
                format!("{}, {}", figure.title, figure.unit()),
                target.of.to_owned(),
                target.to.to_owned(),
                format!("{:.2}", target.at_most),
                ratio.show(),
                ratio.count.to_string(),
                verdict(ratio.median, target.at_most).to_owned(),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = ["", "of", "to", "at most", "median", "pairs", ""];
    let few = if fewest < PAIRS {
        format!("\nA median of fewer than {PAIRS} pairs is a hint.\n")
    } else {
        String::new()
    };
    let missing = if missing.is_empty() {
        String::new()
    } else {
        format!("\nNot measured: {}.\n", missing.join("; "))
    };
    format!("\n## Targets\n{few}{missing}\n{}", markdown(&head, &rows))
}

fn verdict(median: f64, at_most: f64) -> &'static str {
    let (is_reached, is_even) = (median <= at_most, EVEN.contains(&median));
    match (is_reached, is_even) {
        (true, true) => "reached, even",
        (true, false) => "reached",
        (false, true) => "above, even",
        (false, false) => "above",
    }
}

fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |column: usize| {
        let own = rows.iter().filter_map(move |row| row.get(column));
        own.map(|cell| cell.chars().count())
    };
    let widths: Vec<usize> = (0..head.len())
        .map(|column| cells(column).chain([head[column].chars().count()]).max().unwrap_or(0))
        .collect();
    let line = |row: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> =
            row.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = line(&mut head.iter().copied());
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    text += &line(&mut rules.iter().map(String::as_str));
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::sample;

    #[test]
    fn tables_have_medians_ends_and_ratios() {
        let text = write(&sample());
        let expected = "
## 1,000 rooms of 10, 64 publishes in flight
CPU µs each, rooms

|          | median | min – max   | ÷ bun              | ÷ limit | rounds | load  | remarks |
| -------- | ------ | ----------- | ------------------ | ------- | ------ | ----- | ------- |
| tidewire | 5.00   | 2.00 – 8.00 | 3.00 (2.00 – 4.00) |         | 2      | 0.500 |         |
| bun      | 1.50   | 1.00 – 2.00 | 1                  |         | 2      | 0.500 |         |
";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("- ws skipped: there is no node\n"), "{text}");
        assert!(!text.contains("1 → 1,000"), "nothing was measured of it: {text}");
        assert!(text.contains("Not measured: 1,000 rooms of 10"), "{text}");
        assert!(text.contains("| 0.95    | 3.00 (2.00 – 4.00) | 2     | above |"), "{text}");
    }

    #[test]
    fn near_one_is_even() {
        assert_eq!(verdict(0.99, 1.0), "reached, even");
        assert_eq!(verdict(1.02, 1.0), "above, even");
        assert_eq!(verdict(1.2, 1.5), "reached");
        assert_eq!(verdict(1.2, 1.1), "above");
    }
}
