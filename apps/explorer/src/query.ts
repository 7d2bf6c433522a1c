import { useEffect, useState } from 'preact/hooks'
import { after } from './clock.ts'
import { live } from './node.ts'
import { useValue } from './value.ts'

/** Something that was asked for. While it is asked for again, the old answer stays. */
export interface Query<T> {
  readonly value: T | undefined
  readonly error: unknown
  readonly loading: boolean
}

interface Answer<T> {
  readonly key: string
  readonly value?: T
  readonly error?: unknown
}

/**
 * Asks the node for something, once it is connected: when `key` changes, when `version` changes, and when the connection was lost and is back.
 * What was said for one key is never shown for another; without one nothing is asked.
 */
export function useQuery<T>(
  key: string | undefined,
  ask: (signal: AbortSignal) => Promise<T>,
  version: string | number | boolean = 0,
): Query<T> {
  const epoch = useValue(live.epoch)
  const [answer, setAnswer] = useState<Answer<T> | undefined>(undefined)
  const [settled, setSettled] = useState('')
  const request = `${key} ${version} ${epoch}`
  useEffect(() => {
    if (epoch === 0 || key === undefined) return undefined
    const controller = new AbortController()
    const { signal } = controller
    ask(signal).then(
      (value) => {
        if (signal.aborted) return
        setAnswer({ key, value })
        setSettled(request)
      },
      (error: unknown) => {
        if (signal.aborted) return
        setAnswer((before) => (before?.key === key && before.value !== undefined ? before : { key, error }))
        setSettled(request)
      },
    )
    return () => controller.abort()
    // What `ask` reads is named by the key.
  }, [request])
  const current = answer?.key === key ? answer : undefined
  return { value: current?.value, error: current?.error, loading: settled !== request }
}

/** As {@link useQuery}, and asks again after `interval` milliseconds, for what no event tells of. */
export function useFresh<T>(
  key: string,
  interval: number,
  ask: (signal: AbortSignal) => Promise<T>,
  version = 0,
): Query<T> {
  const [turn, setTurn] = useState(0)
  const query = useQuery(key, ask, `${version} ${turn}`)
  const { loading } = query
  useEffect(
    () => (loading ? undefined : after(interval, () => !document.hidden && setTurn((before) => before + 1))),
    [loading, turn],
  )
  return query
}
