//! Several requests at a time, results in the order they were asked for.

use futures::{StreamExt as _, TryStreamExt as _, stream};

/// Requests under way at once for one target.
const AT_ONCE: usize = 8;

/// All results.
pub(crate) async fn all<T>(requests: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let requests: Vec<_> = requests.into_iter().collect();
    stream::iter(requests).buffered(AT_ONCE).collect().await
}

/// All results, or the first error; what was not begun by then is not begun.
pub(crate) async fn try_all<T, E>(
    requests: impl IntoIterator<Item = impl Future<Output = Result<T, E>>>,
) -> Result<Vec<T>, E> {
    let requests: Vec<_> = requests.into_iter().collect();
    stream::iter(requests).buffered(AT_ONCE).try_collect().await
}
