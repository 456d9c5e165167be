//! Bodies of a call, with what the door wants of them: the request's comes in time, and the answer's keeps its place. That of a
//! refused call is thrown away.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Sleep, sleep_until, timeout};
use tonic::{Status, body::Body, codegen::Bytes};
use tracing::info;

use super::{arrival::Arrival, call::REQUEST_ID, present::presentable, quota::Ticket, status};
use crate::broker::Error;

/// The body of a request. It has to come in the time of its call: who sends it slowly, or a stream that never ends, would hold
/// its place for as long as it likes. And its bytes are counted: nobody may fill the memory.
pub(super) struct Incoming {
    body: Body,
    arrival: Arrival,
    end: Pin<Box<Sleep>>,
    /// Bytes that have come.
    came: usize,
}

/// So many bytes of each request are not counted: most requests are smaller, and all of them together take little.
const UNCOUNTED: usize = 16 * 1024;

/// What of a refused request is read at the most, and for how long: nearly all of them are there at once.
const THROWN_AWAY: usize = 64 * 1024;
const WAIT_FOR_IT: Duration = Duration::from_millis(250);

/// Reads what a refused call sends, to nowhere. Left unread it would have to be reset, and of many resets HTTP/2 makes the end
/// of the connection: with a flood of calls that are refused the good ones on it would be lost, too.
pub(super) async fn throw_away(mut body: Body) {
    let all = async {
        let mut came = 0;
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            came += frame.data_ref().map_or(0, Bytes::len);
            if came > THROWN_AWAY {
                return;
            }
        }
    };
    // Who is slower is reset.
    drop(timeout(WAIT_FOR_IT, all).await);
}

impl Incoming {
    /// `body`, which fails when it has not come in time, or is more than there is room for.
    pub fn around(body: Body, arrival: &Arrival) -> Body {
        let end = Box::pin(sleep_until(arrival.deadline));
        Body::new(Self { body, arrival: arrival.clone(), end, came: 0 })
    }

    fn count(&mut self, frame: &Frame<Bytes>) -> Result<(), Status> {
        let before = self.came.saturating_sub(UNCOUNTED);
        self.came = self.came.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        let more = self.came.saturating_sub(UNCOUNTED) - before;
        if more == 0 {
            return Ok(());
        }
        self.arrival.place.add(more).map_err(|shed| {
            let (error, request_id) = (Error::from(shed), self.arrival.request_id);
            let reason = error.reason.word();
            info!(reason, %request_id, caller = %self.arrival.caller, said = %error, "request not taken in");
            status::of(presentable(error).with(REQUEST_ID, request_id), "")
        })
    }
}

impl http_body::Body for Incoming {
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
        frame.map(|frame| {
            frame.map(|frame| frame.and_then(|frame| self.count(&frame).map(|()| frame)))
        })
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
    pub fn around(body: Body, place: Arc<Ticket>) -> Body {
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
