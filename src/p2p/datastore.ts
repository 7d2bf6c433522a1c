import { NotFoundError } from '@libp2p/interface'
import type { Libp2pOptions } from 'libp2p'

/** What libp2p keeps its peers and DHT records in. */
export type Datastore = NonNullable<Libp2pOptions['datastore']>
type Key = Parameters<Datastore['put']>[0]
type Pair = { key: Key; value: Uint8Array }
type Query = Parameters<Datastore['query']>[0]
type KeyQuery = Parameters<Datastore['queryKeys']>[0]

/** How much a {@link createBoundedDatastore} holds. */
export interface DatastoreLimits {
  readonly maxEntries: number
  readonly maxBytes: number
  /** Entries that stay whatever comes. */
  readonly pinned: (key: string) => boolean
}

/**
 * A datastore in memory for libp2p. What other peers make libp2p remember (their addresses, their DHT records) is
 * bounded: the entries used longest ago leave first.
 */
export function createBoundedDatastore({ maxEntries, maxBytes, pinned }: DatastoreLimits): Datastore {
  const entries = new Map<string, Pair>()
  let bytes = 0

  const remove = (name: string): void => {
    const entry = entries.get(name)
    if (entry === undefined) return
    entries.delete(name)
    bytes -= name.length + entry.value.length
  }
  const trim = (): void => {
    for (const name of entries.keys()) {
      if (entries.size <= maxEntries && bytes <= maxBytes) return
      if (!pinned(name)) remove(name)
    }
  }
  const put = (key: Key, value: Uint8Array): Key => {
    const name = key.toString()
    remove(name)
    entries.set(name, { key, value })
    bytes += name.length + value.length
    trim()
    return key
  }
  const get = (key: Key): Uint8Array => {
    const name = key.toString()
    const entry = entries.get(name)
    if (entry === undefined) throw new NotFoundError(`nothing is stored under ${name}`)
    entries.delete(name)
    entries.set(name, entry)
    return entry.value
  }
  const drop = (key: Key): void => remove(key.toString())

  function* query({ prefix = '', filters = [], orders = [], offset = 0, limit }: Query): Generator<Pair> {
    let found = [...entries.values()].filter(
      (pair) => pair.key.toString().startsWith(prefix) && filters.every((filter) => filter(pair)),
    )
    for (const order of orders) found = found.toSorted(order)
    yield* found.slice(offset, limit === undefined ? undefined : offset + limit)
  }
  function* queryKeys({
    prefix = '',
    filters = [],
    orders = [],
    offset = 0,
    limit,
  }: KeyQuery): Generator<Key> {
    let found = [...entries.values()]
      .map(({ key }) => key)
      .filter((key) => key.toString().startsWith(prefix) && filters.every((filter) => filter(key)))
    for (const order of orders) found = found.toSorted(order)
    yield* found.slice(offset, limit === undefined ? undefined : offset + limit)
  }

  return {
    has: (key) => entries.has(key.toString()),
    put,
    get,
    delete: drop,
    async *putMany(source) {
      for await (const { key, value } of source) yield put(key, value)
    },
    async *getMany(source) {
      for await (const key of source) yield { key, value: get(key) }
    },
    async *deleteMany(source) {
      for await (const key of source) {
        drop(key)
        yield key
      }
    },
    batch() {
      const pending: (() => void)[] = []
      return {
        put: (key, value) => void pending.push(() => put(key, value)),
        delete: (key) => void pending.push(() => drop(key)),
        commit() {
          for (const apply of pending.splice(0)) apply()
        },
      }
    },
    query,
    queryKeys,
  }
}
