//! From what `tracing` tells to spans.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime};

use tracing::span::{Attributes as Given, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::sender::Queue;
use super::span::{Attributes, Span};

/// Keeps a [`Span`] with each open span of `tracing`, and hands it on at its end.
pub(super) struct SpanLayer {
    queue: Queue,
}

impl SpanLayer {
    pub(super) fn new(queue: Queue) -> Self {
        Self { queue }
    }
}

impl<S> Layer<S> for SpanLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, given: &Given<'_>, id: &Id, context: Context<'_, S>) {
        let Some(opened) = context.span(id) else {
            return;
        };
        let mut attributes = Attributes::default();
        given.record(&mut attributes);
        let parent = opened.parent().and_then(|parent| {
            let extensions = parent.extensions();
            let span = extensions.get::<Span>()?;
            Some((span.trace, span.id))
        });
        let step = attributes.text("step").map(str::to_owned);
        let mut span = begin(
            step.unwrap_or_else(|| given.metadata().name().to_owned()),
            parent,
        );
        span.attributes = attributes;
        opened.extensions_mut().insert(span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(opened) = context.span(id)
            && let Some(span) = opened.extensions_mut().get_mut::<Span>()
        {
            values.record(&mut span.attributes);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(closed) = context.span(&id)
            && let Some(mut span) = closed.extensions_mut().remove::<Span>()
        {
            span.end = SystemTime::now();
            self.queue.put(span);
        }
    }

    /// An AWS call: it is told of when it is over.
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut attributes = Attributes::default();
        event.record(&mut attributes);
        let (Some(service), Some(operation)) =
            (attributes.text("service"), attributes.text("operation"))
        else {
            return;
        };
        let parent = context.event_span(event).and_then(|parent| {
            let extensions = parent.extensions();
            let span = extensions.get::<Span>()?;
            Some((span.trace, span.id))
        });
        let mut span = begin(format!("{service}.{operation}"), parent);
        let took = attributes.number("took_ms").unwrap_or_default() / 1000.0;
        let took = Duration::try_from_secs_f64(took).unwrap_or_default();
        span.start = span.end.checked_sub(took).unwrap_or(span.end);
        span.is_call = true;
        span.attributes = attributes;
        self.queue.put(span);
    }
}

fn begin(name: String, parent: Option<(u128, u64)>) -> Span {
    let now = SystemTime::now();
    Span {
        trace: parent.map_or_else(
            || (u128::from(random()) << 64) | u128::from(random()),
            |(trace, _)| trace,
        ),
        id: random(),
        parent: parent.map(|(_, id)| id),
        name,
        is_call: false,
        start: now,
        end: now,
        attributes: Attributes::default(),
    }
}

/// A random number that need not be secret and is not zero, which is no id.
fn random() -> u64 {
    RandomState::new().hash_one(SystemTime::now()).max(1)
}
