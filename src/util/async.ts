/** A promise with its handles outside. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

/** A new unsettled {@link Deferred}. */
export function deferred<T>(): Deferred<T> {
  return Promise.withResolvers<T>()
}

/** Settles as `promise` does, or rejects with the signal's reason when it aborts first. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise
  if (signal.aborted) {
    // Nobody else may be listening: its failure must not count as unhandled.
    promise.catch(() => undefined)
    throw signal.reason
  }
  const { promise: aborted, reject } = deferred<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** A controller that also aborts when any of `signals` does. Call `release` when the work is over. */
export interface LinkedController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
  /** Detaches from the parent signals. */
  release(): void
}

/** Makes a {@link LinkedController} over the given signals; undefined ones are skipped. */
export function linkSignals(...signals: readonly (AbortSignal | undefined)[]): LinkedController {
  const controller = new AbortController()
  const undo: (() => void)[] = []
  const release = (): void => {
    for (const detach of undo.splice(0)) detach()
  }
  for (const parent of signals) {
    if (parent === undefined) continue
    if (parent.aborted) {
      controller.abort(parent.reason)
      break
    }
    const onAbort = (): void => {
      controller.abort(parent.reason)
      release()
    }
    parent.addEventListener('abort', onAbort, { once: true })
    undo.push(() => parent.removeEventListener('abort', onAbort))
  }
  return {
    signal: controller.signal,
    abort: (reason) => {
      controller.abort(reason)
      release()
    },
    release,
  }
}

/** Something that wakes whoever waits for it; wakes before anybody waits are kept as one. */
export interface Wake {
  wake(): void
  /** Resolves at the next wake, at once if one is kept; rejects when the signal aborts. */
  wait(signal: AbortSignal): Promise<void>
}

/** Makes a {@link Wake} for one waiter. */
export function createWake(): Wake {
  let kept = false
  let waiter: (Deferred<void> & { woken: boolean }) | undefined
  return {
    wake() {
      if (waiter === undefined) {
        kept = true
        return
      }
      const waiting = waiter
      waiter = undefined
      waiting.woken = true
      waiting.resolve()
    },
    async wait(signal) {
      signal.throwIfAborted()
      if (kept) {
        kept = false
        return
      }
      const own = { ...deferred<void>(), woken: false }
      waiter = own
      try {
        await abortable(own.promise, signal)
      } catch (error) {
        // A wake that came right after the abort is for the next wait.
        if (own.woken) kept = true
        throw error
      } finally {
        if (waiter === own) waiter = undefined
      }
    },
  }
}

/** Runs tasks one after another in the order they were given; a failing one does not stop the next. */
export interface Serial {
  run<T>(task: () => Promise<T>): Promise<T>
  /** Resolves when everything given so far has settled. */
  idle(): Promise<void>
}

/** Makes a {@link Serial}. */
export function createSerial(): Serial {
  let tail: Promise<unknown> = Promise.resolve()
  return {
    async run(task) {
      const result = tail.then(task)
      tail = result.catch(() => undefined)
      return await result
    },
    async idle() {
      await tail
    },
  }
}
