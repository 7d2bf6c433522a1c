import { sha256 } from '#crypto'
import { createBlob } from '../../src/da/blob.ts'
import type { Blob, DaClient, DaEvent } from '../../src/core/da.ts'
import { concatBytes, EMPTY_BYTES, equalBytes, uint64BigEndian, utf8 } from '../../src/util/bytes.ts'
import { createWake } from '../../src/util/async.ts'
import { EvolveError } from '../../src/util/errors.ts'

/** A DA network of one node, in memory, that a test writes and breaks. */
export interface ScriptedDa extends DaClient {
  /** Height of the newest DA block. */
  readonly top: number
  /** Puts bytes as blobs at a height; blocks up to there come into being. Equal heights go on where the last call ended. */
  put(height: number, namespace: Uint8Array, ...datas: readonly Uint8Array[]): void
  /** Puts a blob as it is. */
  putBlob(height: number, blob: Blob): void
  /** Blocks up to this height come into being. */
  grow(to: number): void
  /** Replaces the blocks from a height on by others, empty, up to `to`. */
  reorg(from: number, to: number): void
  /** How the node fails: what it returns is thrown. */
  fail: ((method: 'getAll' | 'header' | 'head' | 'submit', height: number) => Error | undefined) | undefined
  /** Whether subscriptions are possible; a change to false ends those that run. */
  subscribable: boolean
  /** Whether subscriptions tell anything. */
  silent: boolean
  /** Whether headers carry hashes. */
  hashless: boolean
  /** How often each call of `method:height` came. */
  readonly calls: ReadonlyMap<string, number>
  /** Subscriptions that run now. */
  readonly subscriptions: number
}

/** An error as a DA client throws it. */
export function daError(code: string): EvolveError {
  return new EvolveError(code, `the DA node says ${code}`, { verdict: 'retry' })
}

/** Makes a {@link ScriptedDa} without blocks. */
export function createScriptedDa(): ScriptedDa {
  const blocks: { salt: number; readonly blobs: Blob[] }[] = []
  const calls = new Map<string, number>()
  const feeds = new Set<(event: DaEvent | undefined) => void>()
  let salt = 0
  let subscribable = true
  let reachable = true

  const hashOf = (height: number): Uint8Array => {
    const block = blocks[height - 1]
    if (block === undefined || da.hashless) return EMPTY_BYTES
    return sha256(concatBytes(utf8('da block'), uint64BigEndian(block.salt), uint64BigEndian(height)))
  }

  async function answer<T>(
    method: 'getAll' | 'header' | 'head' | 'submit',
    height: number,
    signal: AbortSignal,
    value: () => T,
  ): Promise<T> {
    signal.throwIfAborted()
    const key = `${method}:${height}`
    calls.set(key, (calls.get(key) ?? 0) + 1)
    await Promise.resolve()
    signal.throwIfAborted()
    const error = da.fail?.(method, height)
    reachable = error === undefined
    if (error !== undefined) throw error
    if (height > blocks.length) throw daError('DA_FROM_FUTURE')
    return value()
  }

  const headerOf = (height: number) => ({
    height,
    hash: hashOf(height),
    previousHash: hashOf(height - 1),
    time: BigInt(height) * 6_000_000_000n,
  })

  const da: ScriptedDa = {
    fail: undefined,
    silent: false,
    hashless: false,
    calls,
    get top() {
      return blocks.length
    },
    get reachable() {
      return reachable
    },
    get subscriptions() {
      return feeds.size
    },
    get subscribable() {
      return subscribable
    },
    set subscribable(value) {
      subscribable = value
      if (!value) for (const feed of feeds) feed(undefined)
    },
    async start() {},
    async stop() {},
    put(height, namespace, ...datas) {
      for (const data of datas) {
        // Share commitments cost much and nobody who reads looks at them.
        const blob =
          data.length < 1024 && data.length > 0
            ? createBlob(namespace, data)
            : { namespace, data, shareVersion: 0, commitment: sha256(data), index: -1 }
        da.putBlob(height, blob)
      }
    },
    putBlob(height, blob) {
      da.grow(height)
      blocks[height - 1]?.blobs.push(blob)
    },
    grow(to) {
      while (blocks.length < to) {
        blocks.push({ salt, blobs: [] })
        if (!da.silent) for (const feed of feeds) feed({ height: blocks.length })
      }
    },
    reorg(from, to) {
      blocks.splice(Math.max(0, from - 1))
      salt++
      da.grow(to)
    },
    async submit(blobs, { signal }) {
      return await answer('submit', blocks.length, signal, () => {
        const height = blocks.length + 1
        for (const blob of blobs) da.putBlob(height, blob)
        return height
      })
    },
    getAll: async (height, namespaces, { signal }) =>
      await answer('getAll', height, signal, () =>
        (blocks[height - 1]?.blobs ?? []).filter(({ namespace }) =>
          namespaces.some((one) => equalBytes(one, namespace)),
        ),
      ),
    header: async (height, { signal }) => await answer('header', height, signal, () => headerOf(height)),
    head: async ({ signal }) =>
      await answer('head', 0, signal, () => ({ ...headerOf(blocks.length), height: blocks.length })),
    async *subscribe(_namespace, { signal }) {
      if (!subscribable) throw daError('DA_UNREACHABLE')
      const events: (DaEvent | undefined)[] = []
      const come = createWake()
      const feed = (event: DaEvent | undefined): void => {
        events.push(event)
        come.wake()
      }
      feeds.add(feed)
      try {
        for (;;) {
          while (events.length > 0) {
            const event = events.shift()
            if (event === undefined) return
            yield event
          }
          await come.wait(signal)
        }
      } finally {
        feeds.delete(feed)
      }
    },
  }
  return da
}
