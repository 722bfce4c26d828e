//! The market: forty invented companies whose prices wander, the same way for the same seed.
//!
//! It knows no clock. A step is one trade, or once in a while a symbol that is delisted or comes back.

use tidewire_prices_schema::{Quote, Trail};

/// How many prices a trail has.
pub(crate) const TRAIL: usize = 60;

/// Steps from one delisting, or return, to the next.
const STEPS_BETWEEN_LISTINGS: u64 = 2_000;

/// At most so many symbols are delisted at a time.
const MOST_DELISTED: usize = 2;

const COMPANIES: [(&str, &str, f64); 40] = [
    ("ALGA", "Algae & Daughters", 18.4),
    ("ANCR", "Anchor Holdings", 142.1),
    ("BARN", "Barnacle Bearings", 36.75),
    ("BRIG", "Brigantine Freight", 88.2),
    ("BUOY", "Buoyant Software", 251.6),
    ("CLAM", "Clam Data Vaults", 64.9),
    ("COVE", "Cove Hotels", 47.35),
    ("CRAB", "Sideways Capital", 29.8),
    ("DELT", "Delta Waterworks", 73.15),
    ("DOCK", "Dock & Crane", 112.7),
    ("DRFT", "Driftwood Design", 21.05),
    ("EBBS", "Ebb Energy", 95.5),
    ("EELS", "Eel Electric", 183.9),
    ("FATH", "Fathom Instruments", 307.25),
    ("FERY", "Ferry Lines", 54.6),
    ("FJRD", "Fjord Salmon", 68.45),
    ("FLOT", "Flotsam Recycling", 15.9),
    ("GULF", "Gulf Stream Media", 129.3),
    ("HARB", "Harbour Trust", 76.8),
    ("HELM", "Helm Navigation", 216.4),
    ("ISLE", "Isle Airways", 33.2),
    ("KELP", "Kelp Kitchens", 41.7),
    ("KNOT", "Knot Logistics", 58.95),
    ("LAGN", "Lagoon Leisure", 26.3),
    ("LOCK", "Lock & Weir", 84.1),
    ("MARE", "Mare Biotech", 168.5),
    ("MOOR", "Moorings REIT", 92.6),
    ("OARS", "Oars & Row", 19.75),
    ("PIER", "Pier Payments", 277.8),
    ("PORT", "Port Authority", 61.4),
    ("REEF", "Reef Semiconductors", 412.9),
    ("SALT", "Salt Works", 38.85),
    ("SHOL", "Shoal Insurance", 103.3),
    ("SURF", "Surf Robotics", 234.7),
    ("TACK", "Tack & Jib", 49.9),
    ("TIDE", "Tidewater Power", 156.2),
    ("WAKE", "Wake Audio", 70.55),
    ("WAVE", "Wave Quantum", 345.1),
    ("WHRF", "Wharf Foods", 44.25),
    ("YAWL", "Yawl Outfitters", 23.6),
];

/// What a step has changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// A trade, which may be the first of a symbol that has come back. When it was is for the caller to say.
    Traded(Quote),
    /// The symbol is no more.
    Delisted(&'static str),
}

/// All companies and their prices.
#[derive(Debug)]
pub(crate) struct Market {
    random: Random,
    steps: u64,
    companies: Vec<Company>,
    delisted: Vec<usize>,
}

#[derive(Debug)]
struct Company {
    symbol: &'static str,
    name: &'static str,
    /// How often it is traded, beside the others.
    busy: f64,
    open: f64,
    price: f64,
    low: f64,
    high: f64,
    volume: u64,
    trail: Vec<f64>,
}

impl Market {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let company = |(symbol, name, open)| Company {
            symbol,
            name,
            // A few are traded thirty times as often as most.
            busy: 1.0 / (0.03 + random.unit().powi(2)),
            open,
            price: open,
            low: open,
            high: open,
            volume: 0,
            trail: vec![open],
        };
        let companies = COMPANIES.into_iter().map(company).collect();
        Self { random, steps: 0, companies, delisted: Vec::new() }
    }

    /// Goes on by one change.
    pub(crate) fn step(&mut self) -> Change {
        self.steps += 1;
        if !self.steps.is_multiple_of(STEPS_BETWEEN_LISTINGS) {
            let at = self.busy_company();
            return self.trade(at);
        }
        if self.delisted.len() == MOST_DELISTED {
            let at = self.delisted.remove(0);
            return self.trade(at);
        }
        let at = self.busy_company();
        self.delisted.push(at);
        Change::Delisted(self.companies[at].symbol)
    }

    /// Adds the present prices to the trails, and gives those of all symbols that are listed.
    pub(crate) fn sample(&mut self) -> Vec<Trail> {
        let listed = self.companies.iter_mut().enumerate();
        let listed = listed.filter(|(at, _)| !self.delisted.contains(at));
        let trail = |(_, company): (usize, &mut Company)| {
            company.trail.push(company.price);
            let extra = company.trail.len().saturating_sub(TRAIL);
            company.trail.drain(..extra);
            Trail { symbol: company.symbol.into(), prices: company.trail.clone() }
        };
        listed.map(trail).collect()
    }

    /// The present quotes of all symbols that are listed.
    pub(crate) fn quotes(&self) -> impl Iterator<Item = Quote> {
        let listed = self.companies.iter().enumerate();
        listed.filter(|(at, _)| !self.delisted.contains(at)).map(|(_, company)| company.quote())
    }

    /// One that is listed, the busy ones more often.
    fn busy_company(&mut self) -> usize {
        let chance = self.random.unit();
        let listed = |at: &usize| !self.delisted.contains(at);
        let listed: Vec<usize> = (0..self.companies.len()).filter(listed).collect();
        let busy = |at: &usize| self.companies[*at].busy;
        let mut left = chance * listed.iter().map(busy).sum::<f64>();
        let mut chosen = listed.iter().skip_while(|at| {
            left -= busy(at);
            left >= 0.0
        });
        // What rounding leaves over belongs to the first; nearly all are listed.
        *chosen.next().unwrap_or(&listed[0])
    }

    fn trade(&mut self, at: usize) -> Change {
        let company = &mut self.companies[at];
        let way = (company.price / company.open).ln();
        // Busy ones take smaller steps, and all are drawn back to where they began.
        let step = 0.0016 * self.random.bell() / company.busy.sqrt() - 0.0015 * way / company.busy;
        company.price = cents(company.open * (way + step).exp());
        company.low = company.low.min(company.price);
        company.high = company.high.max(company.price);
        company.volume += 10 * (1 + (self.random.unit() * 40.0) as u64);
        Change::Traded(company.quote())
    }
}

impl Company {
    fn quote(&self) -> Quote {
        let Self { symbol, name, open, price, low, high, volume, .. } = *self;
        let (symbol, name) = (symbol.into(), name.into());
        Quote { symbol, name, price, open, low, high, volume, at_ms: 0 }
    }
}

fn cents(price: f64) -> f64 {
    (price * 100.0).round() / 100.0
}

/// SplitMix64: enough for a market that nobody bets on.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About 0, mostly between -2 and 2: the sum of twelve is close to a normal distribution.
    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const STEPS: usize = 20_000;

    fn day(seed: u64) -> Vec<Change> {
        let mut market = Market::new(seed);
        (0..STEPS).map(|_| market.step()).collect()
    }

    #[test]
    fn a_seed_is_a_day() {
        assert_eq!(day(7), day(7));
        assert_ne!(day(7), day(8));
    }

    #[test]
    fn symbols_go_and_come_back() {
        let mut market = Market::new(1);
        let mut listed: BTreeMap<String, Quote> =
            market.quotes().map(|quote| (quote.symbol.clone(), quote)).collect();
        let (mut gone, mut back) = (0, 0);
        for _ in 0..STEPS {
            match market.step() {
                Change::Delisted(symbol) => {
                    assert!(listed.remove(symbol).is_some(), "{symbol} was listed");
                    gone += 1;
                }
                Change::Traded(quote) => {
                    back += usize::from(listed.insert(quote.symbol.clone(), quote).is_none());
                }
            }
            assert!(listed.len() >= COMPANIES.len() - MOST_DELISTED);
        }
        assert!(listed.values().eq(market.quotes().collect::<Vec<_>>().iter()));
        assert!(gone > 5 && gone - back <= MOST_DELISTED, "{gone} went and {back} came back");
        assert_eq!(market.sample().len(), listed.len(), "whoever is gone leaves no trail");
    }

    #[test]
    fn prices_wander_and_stay_near() {
        let mut moved = 0;
        for change in day(3) {
            let Change::Traded(Quote { symbol, price, open, low, high, .. }) = change else {
                continue;
            };
            assert!(
                (low..=high).contains(&price) && (0.7..1.4).contains(&(price / open)),
                "{symbol}"
            );
            moved += usize::from(price != open);
        }
        assert!(moved > STEPS * 3 / 4, "{moved}");
    }

    #[test]
    fn a_trail_is_as_long_as_it_says() {
        let mut market = Market::new(1);
        for _ in 0..TRAIL {
            market.step();
            market.sample();
        }
        assert!(market.sample().iter().all(|trail| trail.prices.len() == TRAIL));
    }
}
