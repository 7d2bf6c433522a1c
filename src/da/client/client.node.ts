/*
 * Client of a DA node that speaks celestia-node's JSON-RPC.
 * Source: celestia-node blob and header modules; ev-node v1.2.3 pkg/da/jsonrpc, block/internal/da/client.go.
 */
import type { Blob, DaClient, DaEvent, DaHeader } from '../../core/da.ts'
import { createSerial } from '../../util/async.ts'
import { equalBytes, toBase64 } from '../../util/bytes.ts'
import { isEvolveError } from '../../util/errors.ts'
import { blobToJson } from '../blob.ts'
import { createBlobCollector, MAX_BLOB_BYTES, takeList } from './blobs-json.ts'
import { type Caller, type ClientDeps, createCaller } from './caller.node.ts'
import { daError, NO_BLOB_TEXT } from './errors.ts'
import { createLatestEvents } from './events.ts'
import { headerFromJson, readHeight } from './header-json.ts'
import { field } from './json-rpc.ts'
import { CLIENT_METRICS } from './metrics.ts'
import { clientSettings, type DaClientOptions } from './settings.ts'

interface Cancellable {
  readonly signal: AbortSignal
}

/** A {@link DaClient} with what only celestia-node's API has. */
export interface CelestiaClient extends DaClient {
  /** How calls go at the moment. */
  readonly transport: 'websocket' | 'http'
  /** One blob by its commitment. Rejects with `DA_NOT_FOUND` when there is none. */
  get(height: number, namespace: Uint8Array, commitment: Uint8Array, options: Cancellable): Promise<Blob>
  /** Proof that a blob is in the block of a height: celestia-node's own JSON, for {@link included}. */
  getProof(
    height: number,
    namespace: Uint8Array,
    commitment: Uint8Array,
    options: Cancellable,
  ): Promise<unknown>
  /** Whether a proof holds. */
  included(
    height: number,
    namespace: Uint8Array,
    proof: unknown,
    commitment: Uint8Array,
    options: Cancellable,
  ): Promise<boolean>
}

/** Whether the DA node said in words that a height has no blobs; a number alone does not make a height empty. */
function saysNone(error: unknown): boolean {
  return (
    isEvolveError(error, 'DA_NOT_FOUND') && String(error.data['text']).toLowerCase().includes(NO_BLOB_TEXT)
  )
}

function positiveHeight(value: unknown, what: string): number {
  const height = readHeight(value)
  if (height === undefined || height < 1) {
    throw daError('DA_MALFORMED', `expected a DA height as ${what}, got ${String(value).slice(0, 40)}`)
  }
  return height
}

/**
 * Makes a client. Calls go by WebSocket, and by HTTP while there is none. Starting neither waits for the DA node nor
 * fails because of it; before the start and after the stop every call rejects with `DA_UNREACHABLE`.
 * Throws `INVALID_CONFIG` for an address that is none.
 */
export function createDaClient(deps: ClientDeps, options: DaClientOptions): CelestiaClient {
  const { metrics } = deps
  const logger = deps.logger.child({ component: 'da-client' })
  const settings = clientSettings(options)
  const serial = createSerial()
  let caller: Caller | undefined
  let lastId = 0
  let reachable = true

  function note(reached: boolean, error?: unknown): void {
    if (reached === reachable) return
    reachable = reached
    metrics.gauge(CLIENT_METRICS.reachable, reached ? 1 : 0)
    const { host } = settings.address
    if (reached) logger.info('DA answers again', { host })
    else logger.warn('DA does not answer', { host, error })
  }

  function running(): Caller {
    if (caller === undefined) throw daError('DA_UNREACHABLE', 'the DA client does not run')
    return caller
  }

  async function call(method: string, params: readonly unknown[], signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted()
    return await running().call(method, params, signal)
  }

  /** Height of an event; undefined, and counted, when it has none. */
  function heightOfEvent(value: unknown): number | undefined {
    const height = readHeight(field(value, 'height'))
    if (height !== undefined && height > 0) return height
    metrics.count(CLIENT_METRICS.messagesIgnored, 1, { reason: 'malformed-event' })
    return undefined
  }

  async function* subscribe(namespace: Uint8Array, { signal }: Cancellable): AsyncGenerator<DaEvent> {
    signal.throwIfAborted()
    const events = createLatestEvents()
    const sink = {
      value(value: unknown): void {
        const height = heightOfEvent(value)
        if (height !== undefined) events.push(height)
      },
      end: () => events.end(),
    }
    const channel = await running().open('blob.Subscribe', [toBase64(namespace)], sink, signal)
    try {
      for (;;) {
        const event = await events.take(signal)
        if (event === undefined) return
        yield event
      }
    } finally {
      channel.end()
    }
  }

  return {
    get reachable() {
      return reachable
    },
    get transport() {
      return caller?.webSocket === true ? 'websocket' : 'http'
    },
    async start({ signal } = {}) {
      await serial.run(async () => {
        signal?.throwIfAborted()
        caller ??= createCaller({ ...deps, logger }, settings, { nextId: () => ++lastId, note })
        await Promise.resolve()
      })
    },
    async stop() {
      await serial.run(async () => {
        const ending = caller
        caller = undefined
        await ending?.stop()
      })
    },
    async submit(blobs, { signal, submit = {} }) {
      const large = blobs.find(({ data }) => data.length > MAX_BLOB_BYTES)
      if (large !== undefined) {
        throw daError('DA_TOO_BIG', `a blob may have ${MAX_BLOB_BYTES} bytes, got ${large.data.length}`)
      }
      const result = await call('blob.Submit', [blobs.map(blobToJson), submit], signal)
      return positiveHeight(result, 'the result of blob.Submit')
    },
    async getAll(height, namespaces, { signal, keep }) {
      signal.throwIfAborted()
      const maxBytes = settings.maxKeptBytes
      const collector = createBlobCollector(metrics, { namespaces, maxBytes, keep })
      const params = [height, namespaces.map(toBase64)]
      try {
        takeList(await running().list('blob.GetAll', params, collector, signal), collector)
        return collector.blobs
      } catch (error) {
        if (saysNone(error)) return []
        throw error
      }
    },
    async header(height, { signal }): Promise<DaHeader> {
      const header = headerFromJson(await call('header.GetByHeight', [height], signal))
      if (header.height === height) return header
      throw daError(
        'DA_MALFORMED',
        `expected the DA header of height ${height}, got that of ${header.height}`,
      )
    },
    async head({ signal }) {
      return headerFromJson(await call('header.NetworkHead', [], signal))
    },
    subscribe,
    async get(height, namespace, commitment, { signal }) {
      const params = [height, toBase64(namespace), toBase64(commitment)]
      const collector = createBlobCollector(metrics, { namespaces: [namespace], maxBytes: Infinity })
      collector.element(await call('blob.Get', params, signal))
      const [blob] = collector.blobs
      if (blob !== undefined && equalBytes(blob.commitment, commitment)) return blob
      throw daError('DA_MALFORMED', 'expected the blob that was asked for, got none or another one')
    },
    async getProof(height, namespace, commitment, { signal }) {
      return await call('blob.GetProof', [height, toBase64(namespace), toBase64(commitment)], signal)
    },
    async included(height, namespace, proof, commitment, { signal }) {
      const params = [height, toBase64(namespace), proof, toBase64(commitment)]
      const result = await call('blob.Included', params, signal)
      if (typeof result === 'boolean') return result
      throw daError('DA_MALFORMED', `expected true or false from blob.Included, got ${typeof result}`)
    },
  }
}
