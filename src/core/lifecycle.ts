/** Something that runs between `start` and `stop`. Both are safe to call twice and in any order. */
export interface Service {
  /** Resolves when it runs. A signal ends the starting, not the running. */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Resolves when it no longer runs and holds nothing open. */
  stop(): Promise<void>
}

/** Stops in the reverse of the given order; all are stopped whatever fails, then failures are thrown together. */
export async function stopAll(services: readonly Service[]): Promise<void> {
  const errors: unknown[] = []
  for (const service of services.toReversed()) {
    try {
      await service.stop()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'not everything stopped cleanly')
}

/** Starts in order; when one fails, those that run are stopped again before the failure is thrown. */
export async function startAll(
  services: readonly Service[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  const running: Service[] = []
  for (const service of services) {
    try {
      options.signal?.throwIfAborted()
      running.push(service)
      await service.start(options)
    } catch (error) {
      try {
        await stopAll(running)
      } catch (stopError) {
        throw new AggregateError([error, stopError], 'start failed, and so did stopping what had started')
      }
      throw error
    }
  }
}
