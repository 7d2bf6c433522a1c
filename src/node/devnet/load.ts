import type { Env } from '../../core/env.ts'
import type { Service } from '../../core/lifecycle.ts'
import type { Logger } from '../../core/logger.ts'
import { createSerial } from '../../util/async.ts'

/** A steady stream of transactions. */
export interface Load extends Service {
  /** Transactions that were taken, and those that were not. */
  readonly sent: number
  readonly refused: number
}

/** Milliseconds between two bursts. */
const BURST = 100
/** Keys that are written over and over, so that the state stays small. */
const KEYS = 1_000
/** Requests under way at once; what is due beyond them waits for an answer. */
const MAX_UNDER_WAY = 256

/**
 * Makes a {@link Load} that posts `rate` transactions a second to the HTTP endpoint of a key-value application
 * (`POST /tx`), or as many as it answers. `stop` resolves when what was under way is answered.
 */
export function createLoad(
  { env, logger }: { readonly env: Env; readonly logger: Logger },
  { endpoint, rate }: { readonly endpoint: string; readonly rate: number },
): Load {
  const serial = createSerial()
  let sent = 0
  let refused = 0
  let count = 0
  let begun = 0
  let running = false
  let cancel: (() => void) | undefined
  const under = new Set<Promise<void>>()

  async function post(n: number): Promise<void> {
    try {
      const response = await fetch(`${endpoint}/tx`, { method: 'POST', body: `key${n % KEYS}=value ${n}` })
      await response.arrayBuffer()
      if (response.ok) sent++
      else refused++
    } catch (error) {
      refused++
      if (running) logger.debug('a transaction could not be sent', { error })
    }
  }

  function send(): void {
    if (!running) return
    const due = Math.floor(((env.monotonic() - begun) / 1_000) * rate)
    for (; count < due && under.size < MAX_UNDER_WAY; count++) {
      const posting = post(count).finally(() => {
        under.delete(posting)
        if (under.size === MAX_UNDER_WAY - 1) send()
      })
      under.add(posting)
    }
  }

  function burst(): void {
    send()
    cancel = env.timer(BURST, burst)
  }

  return {
    get sent() {
      return sent
    },
    get refused() {
      return refused
    },
    async start() {
      await serial.run(async () => {
        if (running) return
        running = true
        count = 0
        begun = env.monotonic()
        burst()
      })
    },
    async stop() {
      await serial.run(async () => {
        if (!running) return
        running = false
        cancel?.()
        await Promise.all(under)
      })
    },
  }
}
