//! Which request goes where: ingestion, small answers for SDKs, health, and everything else to the web process.

use crate::admission::Admission;
use crate::answers::Extra;
use crate::clock::Clock;
use crate::config::CollectorConfig;
use crate::forwarded;
use crate::in_flight::InFlight;
use crate::prefix::Reached;
use crate::proxy::{self, Proxy};
use crate::refused::{self, Refused};
use crate::throttle::Throttle;
use crate::totals::Totals;
use crate::visibility::VisibilityProbe;
use crate::{answers, health, ingest};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Method, Request};
use std::net::IpAddr;
use std::sync::Arc;
use tallymark_log::LogWriter;
use tallymark_wire::Call;
use tallymark_wire::call::AmplitudeCall;
use tower_http::catch_panic::CatchPanicLayer;

/// Everything that requests share.
pub struct Collector {
    pub(crate) log: Arc<dyn LogWriter>,
    pub(crate) config: CollectorConfig,
    pub(crate) clock: Clock,
    pub(crate) in_flight: InFlight,
    pub(crate) admission: Admission,
    pub(crate) refused: Refused,
    pub(crate) throttle: Throttle,
    pub(crate) totals: Totals,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) probe: Option<Arc<dyn VisibilityProbe>>,
}

/// Address of the client's end of the connection; requests carry it as an extension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub IpAddr);

impl Collector {
    /// A collector that appends to `log`; `?wait=visible` asks the web process.
    pub fn new(log: Arc<dyn LogWriter>, config: CollectorConfig) -> Collector {
        let proxy = config.web_socket.as_deref().map(|socket| Proxy::new(socket, config.trusted_hops));
        let probe = proxy.clone().map(|proxy| Arc::new(proxy) as Arc<dyn VisibilityProbe>);
        let clock = Clock::default();
        let (rules, state) = (config.throttle_rules.as_deref(), config.throttle_state.as_deref());
        Collector {
            log,
            in_flight: InFlight::default(),
            throttle: Throttle::open(rules, state, clock.now()),
            totals: Totals::default(),
            clock,
            admission: Admission::new(&config),
            refused: Refused::default(),
            proxy,
            probe,
            config,
        }
    }

    /// With another way to ask what is visible.
    pub fn with_probe(self, probe: Arc<dyn VisibilityProbe>) -> Collector {
        Collector { probe: Some(probe), ..self }
    }

    /// Writes the counts of refused events to the log. What cannot be written now is kept for the next time.
    pub(crate) async fn write_refused(&self) {
        let rows = self.refused.take();
        if rows.is_empty() {
            return;
        }
        if let Err(error) = self.log.append(refused::records(&rows)).await {
            tracing::debug!(%error, "counts of refused events wait");
            self.refused.put_back(rows);
        }
    }

    /// Address of the client, as far as it can be believed.
    pub(crate) fn client_ip<B>(&self, request: &Request<B>) -> Option<IpAddr> {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        forwarded::client(request.headers(), peer, self.config.trusted_hops)
    }
}

/// All routes of the public port.
pub fn router(collector: Arc<Collector>) -> Router {
    Router::new().fallback(dispatch).with_state(collector).layer(CatchPanicLayer::new())
}

async fn dispatch(State(collector): State<Arc<Collector>>, request: Request<Body>) -> Response {
    let (method, whole) = (request.method(), request.uri().path());
    // Below the prefix only ingestion is served: the web app knows one address, and its cookies stay there.
    let prefix = collector.config.path_prefix.as_ref().filter(|prefix| prefix.strip(whole).is_some());
    let path = prefix.and_then(|prefix| prefix.strip(whole)).unwrap_or(whole);
    let is_mparticle =
        path.trim_end_matches('/') == "/v1/identify" && request.headers().contains_key("x-mp-key");
    if let Some(call) = Call::of_path(path)
        && !is_mparticle
        && (call != Call::Amplitude(AmplitudeCall::Legacy) || is_sending(method))
    {
        return ingest::handle(collector, call, request).await;
    }
    if let Some(extra) = Extra::of(path) {
        let reached = Reached::by(request.headers(), prefix, collector.config.trusted_hops);
        return answers::handle(&collector, extra, reached, request).await;
    }
    match whole {
        "/health/live" => health::live(),
        "/health/ready" => health::ready(&collector).await,
        _ => match &collector.proxy {
            Some(proxy) => {
                let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
                proxy.forward(request, peer).await
            }
            None => proxy::down(proxy::accepts_html(request.headers())),
        },
    }
}

/// `GET /` is the web app; only what sends data there is the protocol of Amplitude's first SDKs.
fn is_sending(method: &Method) -> bool {
    method == Method::POST || method == Method::OPTIONS
}
