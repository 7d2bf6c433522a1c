import type { Logger } from './logger.ts'

/** Whoever wants to be told of something. A listener that throws is logged and disturbs nobody. */
export interface Listeners<T> {
  /** Tells `listener` from now on, until the returned function is called. */
  add(listener: (value: T) => void): () => void
  tell(value: T): void
}

/** Makes {@link Listeners} of what `name` says. */
export function createListeners<T>(logger: Logger, name: string): Listeners<T> {
  const listeners = new Set<{ readonly listener: (value: T) => void }>()
  return {
    add(listener) {
      const entry = { listener }
      listeners.add(entry)
      return () => listeners.delete(entry)
    },
    tell(value) {
      for (const { listener } of listeners) {
        try {
          listener(value)
        } catch (error) {
          logger.error('a listener failed', { of: name, error })
        }
      }
    },
  }
}
