//! Whatever happens to its connection, a client that goes on from where it was has every event once and in order.

use std::{collections::BTreeMap, time::Duration};

use tidewire::{
    Live, Position,
    test::{Client, RequestError, WaitError},
};

use crate::support::PATIENCE;

tidewire_protocol::schema! {
    pub(crate) schema Rooms {
        topic Room { room: u8 } = "room:{room}" { event: u64 }
    }
}

const ROOMS: u8 = 3;

/// A small generator, so that a seed tells all.
struct Random(u64);

impl Random {
    /// A number below `most`.
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// A server whose queues are small and whose history is long; the number of an event is its offset.
fn live() -> Live<()> {
    Live::<()>::builder()
        .topic::<Room>(|topic| topic.public().history(100_000, Duration::from_secs(3600)))
        .queue_size(20)
        .message_rate(0, 0)
        .build()
}

/// A client, and how far it is in each room that it is subscribed to.
struct Reader {
    client: Client,
    positions: BTreeMap<u8, Position>,
    closes: usize,
}

impl Reader {
    async fn connect(live: &Live<()>) -> Client {
        Client::connect(live).pipe_bytes(500).hello().await.unwrap()
    }

    async fn new(live: &Live<()>) -> Self {
        Self { client: Self::connect(live).await, positions: BTreeMap::new(), closes: 0 }
    }

    /// Connects again and goes on.
    async fn reconnect(&mut self, live: &Live<()>) {
        'again: loop {
            self.closes += 1;
            self.client = Self::connect(live).await;
            for (&room, position) in &self.positions {
                match self.client.subscribe_since(&Room { room }, position).await {
                    Ok(subscribed) => {
                        assert_eq!(subscribed.recovered, Some(true), "{room} {position:?}");
                        assert_eq!(subscribed.position, *position);
                    }
                    // Events of the room before it were too much.
                    Err(RequestError::Wait(WaitError::Closed { .. })) => {
                        self.take_events();
                        continue 'again;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            return;
        }
    }

    async fn subscribe(&mut self, room: u8) -> Result<(), RequestError> {
        let subscribed = self.client.subscribe(&Room { room }).await?;
        self.positions.insert(room, subscribed.position);
        Ok(())
    }

    async fn unsubscribe(&mut self, room: u8) -> Result<(), RequestError> {
        self.client.unsubscribe(&Room { room }).await?;
        self.take_events();
        self.positions.remove(&room);
        Ok(())
    }

    /// Checks all that has come.
    fn take_events(&mut self) {
        while let Some(frame) = self.client.try_next() {
            let room = frame.topic.strip_prefix("room:").expect("an event").parse().unwrap();
            let position = self.positions.get_mut(&room).expect("a room that is subscribed to");
            assert_eq!(frame.prev, Some(position.offset), "in {room}");
            position.offset += 1;
            assert_eq!(frame.offset, Some(position.offset), "in {room}");
            assert_eq!(frame.decode::<u64>().unwrap(), position.offset, "in {room}");
        }
    }

    /// Whether it has had so many events of each of its rooms.
    fn is_at(&mut self, published: &[u64]) -> bool {
        self.take_events();
        self.positions
            .iter()
            .all(|(&room, position)| position.offset == published[usize::from(room)])
    }
}

/// Lets a reader do something at random; `Err` when it finds its connection closed.
async fn act(reader: &mut Reader, random: &mut Random) -> Result<(), RequestError> {
    let room = random.below(ROOMS.into()) as u8;
    match random.below(8) {
        0 => reader.client.pause_reading(),
        1 => reader.client.resume_reading(),
        // Whoever does not read gets no answer.
        2 | 3 => {
            reader.client.resume_reading();
            reader.client.ping().await?;
            reader.take_events();
            match reader.positions.contains_key(&room) {
                false => reader.subscribe(room).await?,
                true if random.below(4) == 0 => reader.unsubscribe(room).await?,
                true => {}
            }
        }
        _ => {
            reader.client.resume_reading();
            reader.client.ping().await?;
            reader.take_events();
        }
    }
    Ok(())
}

async fn check_history(seed: u64) -> usize {
    let (live, mut random) = (live(), Random(seed));
    let mut published = [0_u64; ROOMS as usize];
    let mut readers =
        vec![Reader::new(&live).await, Reader::new(&live).await, Reader::new(&live).await];
    for _ in 0..300 {
        let at = random.below(readers.len() as u64) as usize;
        match random.below(10) {
            0 => readers[at].reconnect(&live).await,
            1..4 => {
                let room = random.below(ROOMS.into()) as u8;
                for _ in 0..=random.below(15) {
                    let number = &mut published[usize::from(room)];
                    *number += 1;
                    live.topic(Room { room }).publish(number).await.unwrap();
                }
            }
            4 => tokio::task::yield_now().await,
            _ => {
                if let Err(error) = act(&mut readers[at], &mut random).await {
                    assert!(
                        matches!(error, RequestError::Wait(WaitError::Closed { .. })),
                        "{error}"
                    );
                    readers[at].take_events();
                    readers[at].reconnect(&live).await;
                }
            }
        }
    }
    for reader in &mut readers {
        reader.client.resume_reading();
        for _ in 0..1000 {
            if reader.client.ping().await.is_err() {
                reader.take_events();
                reader.reconnect(&live).await;
            }
            if reader.is_at(&published) {
                break;
            }
        }
        assert!(reader.is_at(&published), "{:?} of {published:?}", reader.positions);
    }
    readers.iter().map(|reader| reader.closes).sum()
}

#[expect(clippy::print_stdout, reason = "a failed test shows its seed")]
#[tokio::test(start_paused = true)]
async fn a_client_that_goes_on_has_every_event_once_and_in_order() {
    let mut closes = 0;
    for seed in 0..60 {
        println!("seed {seed}");
        closes += check_history(seed).await;
    }
    assert!(closes > 100, "connections were closed, else it shows nothing");
}

/// Reads until every room has given `events`, with breaks and pauses.
async fn read_on(live: Live<()>, mut reader: Reader, seed: u64, events: u64) -> usize {
    let mut random = Random(seed);
    while !reader.is_at(&[events; ROOMS as usize]) {
        match random.below(8) {
            0 => reader.reconnect(&live).await,
            1 => {
                reader.client.pause_reading();
                tokio::time::sleep(Duration::from_millis(random.below(3))).await;
                reader.client.resume_reading();
            }
            _ => {}
        }
        if reader.client.ping().await.is_err() {
            reader.take_events();
            reader.reconnect(&live).await;
        }
    }
    reader.closes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_that_publish_and_read_at_once_change_nothing() {
    const EVENTS: u64 = 2000;
    let live = live();
    let mut readers = Vec::new();
    for seed in 0..6 {
        let mut reader = Reader::new(&live).await;
        for room in 0..ROOMS {
            reader.subscribe(room).await.unwrap();
        }
        readers.push(tokio::spawn(read_on(live.clone(), reader, seed, EVENTS)));
    }
    for room in 0..ROOMS {
        let live = live.clone();
        tokio::spawn(async move {
            for number in 1..=EVENTS {
                live.topic(Room { room }).publish(&number).await.unwrap();
                if number % 20 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
    }
    let mut closes = 0;
    for reader in readers {
        closes += tokio::time::timeout(PATIENCE, reader).await.expect("all events").unwrap();
    }
    assert!(closes > 6, "connections were closed, else it shows nothing");
}
