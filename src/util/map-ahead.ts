import { linkSignals } from './async.ts'

/** What {@link mapAhead} goes along. */
export interface AheadSource<T, R> {
  /** Opens the source. Its signal aborts when the iteration is left, so that nothing waits for what nobody wants. */
  readonly open: (signal: AbortSignal) => AsyncIterable<T>
  /** Called in the order of the elements. */
  readonly map: (element: T) => Promise<R>
  /** Elements that are begun before the first of them is given out, at most. */
  readonly depth: number
  readonly signal: AbortSignal
}

/** Takes elements of a source and begins to map them before their turn; gives the results in order. What fails, fails in its turn. */
export async function* mapAhead<T, R>({
  open,
  map,
  depth,
  signal,
}: AheadSource<T, R>): AsyncGenerator<R, void> {
  const over = linkSignals(signal)
  const iterator = open(over.signal)[Symbol.asyncIterator]()
  const begun: Promise<R>[] = []
  let pulling: Promise<void> | undefined
  let end: { readonly error?: unknown } | undefined

  async function pull(): Promise<void> {
    try {
      const next = await iterator.next()
      if (next.done === true) {
        end = {}
        return
      }
      const result = map(next.value)
      // It is awaited in its turn, if that comes.
      result.catch(() => undefined)
      begun.push(result)
    } catch (error) {
      end = { error }
    } finally {
      pulling = undefined
    }
  }

  try {
    for (;;) {
      if (pulling === undefined && end === undefined && begun.length < depth) pulling = pull()
      const first = begun[0]
      if (first === undefined) {
        if (pulling !== undefined) await pulling
        else if (end !== undefined && 'error' in end) throw end.error
        else return
      } else if (pulling === undefined || (await settledFirst(first, pulling))) {
        void begun.shift()
        yield await first
      }
    }
  } finally {
    over.abort(new DOMException('the iteration was left', 'AbortError'))
    await iterator.return?.()
  }
}

/** Whether `first`, good or not, settles before `other` does. */
async function settledFirst(first: Promise<unknown>, other: Promise<void>): Promise<boolean> {
  const done = first.then(
    () => true,
    () => true,
  )
  return await Promise.race([done, other.then(() => false)])
}
