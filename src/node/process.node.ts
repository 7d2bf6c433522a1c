import { setFlagsFromString } from 'node:v8'

/** Threads for the disk: a synced write holds one while the disk works, and with the usual four reads wait behind such writes. */
const DISK_THREADS = '16'

/** Percent by which the heap of old objects may grow between two collections. */
const HEAP_GROWTH = 25

/**
 * Sets this process up for a node; to be called before anything else is loaded. A node hands on much that lives a second
 * and is garbage then: left alone, the engine lets hundreds of MiB of it gather. What the environment sets stays.
 */
export function tuneProcess(): void {
  process.env['UV_THREADPOOL_SIZE'] ??= DISK_THREADS
  // Read at every collection, so that it takes effect although the engine runs already.
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`)
}
