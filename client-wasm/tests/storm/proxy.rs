//! A network that cuts, tears, stalls and half-opens connections, by a seed.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::sleep,
};

use crate::random::Random;

/// What befalls a connection, one after the other, as long as it lives.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Both ends are gone, at once.
    Cut,
    /// The same within a frame.
    Tear,
    /// Nothing passes for a while.
    Stall,
    /// The server's end is gone, the client's is silent.
    LoseServer,
    /// The other way round.
    LoseClient,
    /// Both stay and are silent.
    Silence,
}

const FAULTS: [Fault; 10] = [
    Fault::Cut,
    Fault::Cut,
    Fault::Cut,
    Fault::Tear,
    Fault::Stall,
    Fault::Stall,
    Fault::Stall,
    Fault::LoseServer,
    Fault::LoseClient,
    Fault::Silence,
];

/// Between two faults of a connection: some hold for the 10 s after which a client's delays begin anew.
const PAUSE_MS: (u64, u64) = (300, 12_000);
const STALL_MS: (u64, u64) = (20, 2_500);
/// How long an end that is silent stays: longer than both sides' heartbeats.
const SILENCE: Duration = Duration::from_secs(6);

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    cuts: AtomicU64,
    tears: AtomicU64,
    stalls: AtomicU64,
    half_open: AtomicU64,
    silences: AtomicU64,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    server: Mutex<SocketAddr>,
    random: Mutex<Random>,
    calm: watch::Sender<bool>,
    counts: Counts,
}

/// Whether a connection passes what comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    Shut,
    /// Half of the next piece, and no more.
    Torn,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr, random: Random) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let proxy = Arc::new(Self {
            address: listener.local_addr().expect("it has an address"),
            server: Mutex::new(server),
            random: Mutex::new(random),
            calm: watch::Sender::new(false),
            counts: Counts::default(),
        });
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = accepting.clone();
                // Who is not carried on is cut off.
                tokio::spawn(async move { proxy.carry(client).await });
            }
        });
        proxy
    }

    /// Where connections lead from now on.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
    }

    /// Nothing befalls a connection any more.
    pub(crate) fn calm_down(&self) {
        self.calm.send_replace(true);
    }

    pub(crate) fn report(&self) -> String {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { connections, cuts, tears, stalls, half_open, silences } = &self.counts;
        format!(
            "{} connections: {} cut, {} torn within a frame, {} half open, {} silent; {} stalls",
            count(connections),
            count(cuts),
            count(tears),
            count(half_open),
            count(silences),
            count(stalls)
        )
    }

    async fn carry(&self, mut client: TcpStream) -> io::Result<()> {
        let to = *self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let mut server = TcpStream::connect(to).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        let name = self.random.lock().unwrap_or_else(PoisonError::into_inner).next();
        let gate = watch::Sender::new(Gate::Open);
        let fault = {
            let (mut from_client, mut to_client) = client.split();
            let (mut from_server, mut to_server) = server.split();
            tokio::select! {
                _ = pump(&mut from_client, &mut to_server, gate.subscribe()) => None,
                _ = pump(&mut from_server, &mut to_client, gate.subscribe()) => None,
                fault = self.befall(Random::new(name, 0), &gate) => Some(fault),
            }
        };
        match fault {
            Some(Fault::LoseServer) => {
                drop(server);
                sleep(SILENCE).await;
            }
            Some(Fault::LoseClient) => {
                drop(client);
                sleep(SILENCE).await;
            }
            _ => {}
        }
        Ok(())
    }

    /// Resolves with the fault that ends the connection.
    async fn befall(&self, mut random: Random, gate: &watch::Sender<Gate>) -> Fault {
        let mut calm = self.calm.subscribe();
        let mut between = |(least, most): (u64, u64)| {
            (Duration::from_millis(least + random.below(most - least)), random.pick(&FAULTS))
        };
        loop {
            let (pause, fault) = between(PAUSE_MS);
            tokio::select! {
                () = sleep(pause) => {}
                () = async { drop(calm.wait_for(|calm| *calm).await) } => {
                    return std::future::pending().await;
                }
            }
            let count = match fault {
                Fault::Cut => &self.counts.cuts,
                Fault::Tear => &self.counts.tears,
                Fault::Stall => &self.counts.stalls,
                Fault::LoseServer | Fault::LoseClient => &self.counts.half_open,
                Fault::Silence => &self.counts.silences,
            };
            count.fetch_add(1, Ordering::Relaxed);
            match fault {
                Fault::Stall => {
                    gate.send_replace(Gate::Shut);
                    sleep(between(STALL_MS).0).await;
                    gate.send_replace(Gate::Open);
                }
                Fault::Silence => {
                    gate.send_replace(Gate::Shut);
                    sleep(SILENCE).await;
                    return fault;
                }
                // The pump ends the connection at the next piece.
                Fault::Tear => {
                    gate.send_replace(Gate::Torn);
                    return std::future::pending().await;
                }
                _ => return fault,
            }
        }
    }
}

/// Passes on what comes, as the gate allows, until either end is gone.
async fn pump(
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    mut gate: watch::Receiver<Gate>,
) -> io::Result<()> {
    let mut piece = [0; 4_096];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        // It fails when the connection is carried no more.
        let Ok(state) = gate.wait_for(|gate| *gate != Gate::Shut).await.map(|state| *state) else {
            return Ok(());
        };
        if state == Gate::Torn {
            return to.write_all(&piece[..length / 2]).await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
