/*
 * DA blocks that were read and wait to be dealt with: reading goes on while those before them are being written, and
 * those that have gathered are dealt with together.
 */
import { createWake, type Wake } from '../../util/async.ts'
import type { DaBlock } from './found.ts'

/** With so many halves, or bytes of them, waiting, no more are taken in. */
const MAX_HALVES = 512
const MAX_BYTES = 8 * 1024 * 1024

/** DA blocks in their order. */
export interface Inbox {
  /** Takes what waits. Throws what ended the reading, once nothing waits any more. */
  take(): readonly DaBlock[]
  /** Leaves the reading. Resolves when it is over; what fails then is nobody's business. */
  close(): Promise<void>
}

/**
 * Makes an {@link Inbox} that reads on by itself, until `most` blocks wait, and wakes `arrived` when there is something
 * to take.
 */
export function createInbox(
  blocks: AsyncIterator<DaBlock>,
  arrived: Pick<Wake, 'wake'>,
  most: number,
): Inbox {
  const end = new AbortController()
  const taken = createWake()
  let waiting: DaBlock[] = []
  let halves = 0
  let bytes = 0
  let failure: { readonly error: unknown } | undefined

  function full(): boolean {
    return waiting.length >= most || halves >= MAX_HALVES || bytes >= MAX_BYTES
  }

  async function fill(): Promise<void> {
    for (;;) {
      const result = await blocks.next()
      if (result.done === true) return
      waiting.push(result.value)
      halves += result.value.headers.length + result.value.data.length
      bytes += bytesOf(result.value)
      arrived.wake()
      while (full()) await taken.wait(end.signal)
    }
  }

  const filling = fill().catch((error: unknown) => {
    failure = { error }
    arrived.wake()
  })

  return {
    take() {
      if (waiting.length === 0 && failure !== undefined) throw failure.error
      const all = waiting
      waiting = []
      halves = 0
      bytes = 0
      taken.wake()
      return all
    },
    async close() {
      end.abort()
      await blocks.return?.().catch(() => undefined)
      await filling
    },
  }
}

function bytesOf({ headers, data }: DaBlock): number {
  let sum = 0
  for (const { bytes } of headers) sum += bytes.length
  for (const { bytes } of data) sum += bytes.length
  return sum
}
