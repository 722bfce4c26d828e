//! The results as a picture: a panel for each figure, a bar for each peer, a whisker from the least to the most.

use super::figures::{FIGURES, Figure, Spread};
use super::results::Results;

const COLUMNS: usize = 2;
const PANEL_WIDTH: usize = 470;
const BAR_HEIGHT: usize = 18;
const HEAD: usize = 50;
const PANEL_HEAD: usize = 34;
const LABEL_WIDTH: usize = 118;
const VALUE_WIDTH: usize = 72;
const MARGIN: usize = 16;

/// The figures that tell the most; the tables have all.
const SHOWN: &[(&str, &str)] = &[
    ("fanout-1000", "rate"),
    ("fanout-1000", "burst-16"),
    ("fanout-10000", "rate"),
    ("fanout-10000", "burst-16"),
    ("rooms", "rooms"),
    ("request", "request"),
    ("idle", "handshake"),
    ("idle", "subscribed"),
];

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1f2328}\
.head{font-size:16px;font-weight:600}.title,.name{font-weight:600}.unit{fill:#656d76}\
rect{fill:#b6bdc6}.ours{fill:#0b7fab}.limit{fill:#8a94a0}\
line{stroke:#1f2328;stroke-opacity:.8}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.unit{fill:#8d96a0}rect{fill:#4b535d}\
.ours{fill:#36a9d6}.limit{fill:#6b7683}line{stroke:#e6edf3}}";

pub(super) fn draw(results: &Results) -> String {
    let shown = SHOWN.iter().filter_map(|(workload, measure)| {
        FIGURES.iter().find(|figure| figure.workload == *workload && figure.measure == *measure)
    });
    let panels: Vec<(&Figure, Vec<(&str, Spread)>)> = shown
        .map(|figure| (figure, bars(results, figure)))
        .filter(|(_, bars)| !bars.is_empty())
        .collect();
    let most = panels.iter().map(|(_, bars)| bars.len()).max().unwrap_or(0);
    let panel_height = PANEL_HEAD + most * BAR_HEIGHT + MARGIN;
    let width = COLUMNS * PANEL_WIDTH + MARGIN;
    let height = HEAD + panels.len().div_ceil(COLUMNS) * panel_height + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>Tidewire beside its peers; shorter is better</title>\n<style>{STYLE}</style>\n\
         <text class=\"head\" x=\"{MARGIN}\" y=\"28\">Tidewire beside its peers</text>\n\
         <text class=\"unit\" x=\"{MARGIN}\" y=\"46\">shorter is better; a bar is the median of all rounds, \
         a line goes from the least to the most</text>\n"
    );
    for (number, (figure, bars)) in panels.iter().enumerate() {
        let x = number % COLUMNS * PANEL_WIDTH + MARGIN;
        let y = HEAD + number / COLUMNS * panel_height + MARGIN;
        svg += &format!("<g transform=\"translate({x} {y})\">\n{}</g>\n", panel(figure, bars));
    }
    svg + "</svg>\n"
}

fn bars<'a>(results: &'a Results, figure: &Figure) -> Vec<(&'a str, Spread)> {
    let spreads = results.peers.iter().filter_map(|(peer, _)| {
        Some((*peer, Spread::of(results.values(figure, peer).into_values())?))
    });
    let mut bars: Vec<_> = spreads.collect();
    bars.sort_by(|(_, a), (_, b)| a.median.total_cmp(&b.median));
    bars
}

fn panel(figure: &Figure, bars: &[(&str, Spread)]) -> String {
    let longest = bars.iter().map(|(_, spread)| spread.max).fold(f64::MIN_POSITIVE, f64::max);
    let room = (PANEL_WIDTH - MARGIN - LABEL_WIDTH - VALUE_WIDTH) as f64;
    let at = |value: f64| LABEL_WIDTH as f64 + value.max(0.0) / longest * room;
    let mut svg = format!(
        "<text class=\"title\" y=\"12\">{}</text><text class=\"unit\" y=\"27\">{}</text>\n",
        figure.title,
        figure.unit()
    );
    for (number, (peer, Spread { median, min, max, .. })) in bars.iter().enumerate() {
        let y = PANEL_HEAD + number * BAR_HEIGHT;
        let (class, text_class) = match *peer {
            name if name.starts_with("tidewire") => (" class=\"ours\"", " class=\"name\""),
            name if name.starts_with("limit") => (" class=\"limit\"", ""),
            _ => ("", ""),
        };
        let (middle, text) = (y + BAR_HEIGHT / 2 - 2, y + BAR_HEIGHT - 7);
        svg += &format!(
            "<text{text_class} x=\"{label}\" y=\"{text}\" text-anchor=\"end\">{peer}</text>\
             <rect{class} x=\"{LABEL_WIDTH}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\"/>\
             <line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>\
             <text x=\"{value:.1}\" y=\"{text}\">{shown}</text>\n",
            label = LABEL_WIDTH - 8,
            width = (at(*median) - LABEL_WIDTH as f64).max(1.0),
            height = BAR_HEIGHT - 4,
            from = at(*min),
            to = at(*max),
            value = at(*max) + 6.0,
            shown = figure.show(*median),
        );
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::sample;

    #[test]
    fn what_was_measured_is_drawn_with_the_least_first() {
        let svg = draw(&sample());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("class=\"title\"").count(), 1, "one figure was measured");
        let at = |text: &str| svg.find(text).unwrap_or_else(|| panic!("no {text} in {svg}"));
        assert!(at(">bun<") < at(">tidewire<"));
        at(">5.00<");
        // The whisker of the longest bar ends where its room does.
        at("x2=\"382.0\"");
    }
}
