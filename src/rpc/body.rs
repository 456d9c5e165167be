//! Bodies of a call, with what the door wants of them: the request's comes in time, and the answer's keeps its place.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Status, body::Body, codegen::Bytes};

use super::quota::Ticket;

/// The body of a request, until its call's time is over: who sends it slowly, or a stream that never ends, would hold its
/// place for as long as it likes.
pub(super) struct Timely {
    body: Body,
    end: Pin<Box<Sleep>>,
}

impl Timely {
    /// `body`, which fails at `end` if it has not come by then.
    pub fn new(body: Body, end: Instant) -> Body {
        Body::new(Self { body, end: Box::pin(sleep_until(end)) })
    }
}

impl http_body::Body for Timely {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        // What has come counts, however late it is looked at.
        if frame.is_pending() && self.end.as_mut().poll(cx).is_ready() {
            let late =
                Status::deadline_exceeded("the request did not come in the time of its call");
            return Poll::Ready(Some(Err(late)));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, whose call is under way until all of it is sent: a stream stays open after its begin.
pub(super) struct Placed {
    body: Body,
    _place: Arc<Ticket>,
}

impl Placed {
    /// `body`, which gives `place` back when it is dropped.
    pub fn new(body: Body, place: Arc<Ticket>) -> Body {
        Body::new(Self { body, _place: place })
    }
}

impl http_body::Body for Placed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
