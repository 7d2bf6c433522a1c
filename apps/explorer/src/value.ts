import { useEffect, useState } from 'preact/hooks'

/** A value that changes, and those who want to know. */
export interface Value<T> {
  get(): T
  /** Replaces it; nobody is told when it is the same. */
  set(next: T): void
  /** Calls `listener` after each change until the returned function is called. */
  subscribe(listener: () => void): () => void
}

/** Makes a {@link Value}. */
export function createValue<T>(initial: T): Value<T> {
  let current = initial
  const listeners = new Set<() => void>()
  return {
    get: () => current,
    set(next) {
      if (Object.is(next, current)) return
      current = next
      for (const listener of listeners) listener()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** What `value` holds; the component is rendered again when that changes. */
export function useValue<T>(value: Value<T>): T {
  const [shown, show] = useState({ value: value.get() })
  useEffect(() => {
    const look = (): void => {
      const current = value.get()
      show((before) => (Object.is(before.value, current) ? before : { value: current }))
    }
    // It may have changed between the rendering and now.
    look()
    return value.subscribe(look)
  }, [value])
  return shown.value
}
