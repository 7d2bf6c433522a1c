/*
 * Time and timers of the page: the one place that asks the browser for them.
 */

/** Milliseconds since 1970. */
export function now(): number {
  return Date.now()
}

/** Calls `fire` after `ms` milliseconds, unless the returned function is called before. */
export function after(ms: number, fire: () => void): () => void {
  const handle = setTimeout(fire, ms)
  return () => clearTimeout(handle)
}

/** Calls `fire` every `ms` milliseconds until the returned function is called. */
export function every(ms: number, fire: () => void): () => void {
  const handle = setInterval(fire, ms)
  return () => clearInterval(handle)
}
