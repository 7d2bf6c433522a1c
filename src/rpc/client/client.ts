import { createClient as createConnectClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import type { DaSubmission } from '../../core/node-view.ts'
import { type Env, systemEnv } from '../../core/env.ts'
import { utf8 } from '../../util/bytes.ts'
import { AdminService } from '../gen/evolve/v1/admin_pb.ts'
import { ChainService } from '../gen/evolve/v1/chain_pb.ts'
import { NetworkService } from '../gen/evolve/v1/network_pb.ts'
import { heightArgument, nodeUrl, hashArgument, identifierOf } from './arguments.ts'
import { type Call, type CallRules, makeCall } from './call.ts'
import { unreachable } from './errors.ts'
import {
  blockOf,
  infoOf,
  networkInfoOf,
  statusOf,
  submissionOf,
  summaryOf,
  transactionInBlockOf,
  transactionPageOf,
} from './messages.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'
import type {
  Block,
  BlockSummary,
  CallOptions,
  NetworkInfo,
  NodeInfo,
  NodeStatus,
  TransactionInBlock,
  TransactionPage,
} from './types.ts'

/** Options of {@link createClient}. */
export interface ClientOptions {
  /** Milliseconds for a call that names none. Default 10,000. */
  readonly timeout?: number
  /** How often a call that changes nothing is repeated when the node cannot be reached. Default 2. */
  readonly retries?: number
  /** Used instead of the platform's `fetch`: for headers that a proxy wants, or a pool of connections of one's own. */
  readonly fetch?: typeof globalThis.fetch
  readonly env?: Env
}

/** Names a block: its height, the hash of its header as bytes or hex, or `latest`. */
export type BlockId = number | Uint8Array | string

/**
 * A node, asked over the network. Every call rejects with an `EvolveError` whose `code` is stable
 * ({@link ClientErrorCode}), or with the reason of its signal.
 */
export interface Client extends Subscriptions {
  /** Where the node is. */
  readonly url: string
  /** What does not change while the node runs. */
  info(options?: CallOptions): Promise<NodeInfo>
  /** Where the node stands. */
  status(options?: CallOptions): Promise<NodeStatus>
  /**
   * One block with all its transactions. Rejects with `BLOCK_NOT_FOUND`, or `BLOCK_PRUNED`.
   *
   * @example
   * const { header, data } = await client.block('latest')
   * console.log(header.header.height, data.txs.length)
   */
  block(id: BlockId, options?: CallOptions): Promise<Block>
  /**
   * Summaries of consecutive blocks, newest first: from height `from` (default the latest) downwards, `limit` at most
   * (default 20, no more than 100).
   *
   * @example
   * const latest = await client.blocks({ limit: 10 })
   * const older = await client.blocks({ from: latest.at(-1).height - 1 })
   */
  blocks(
    options?: CallOptions & { readonly from?: number; readonly limit?: number },
  ): Promise<readonly BlockSummary[]>
  /** Transactions of a block from place `offset` on, `limit` at most (default 100, no more than 1,000 and 4 MiB). */
  transactions(
    height: number,
    options?: CallOptions & { readonly offset?: number; readonly limit?: number },
  ): Promise<TransactionPage>
  /**
   * A transaction by the SHA-256 of its bytes, as bytes or hex. Rejects with `TX_NOT_FOUND`, or `TX_INDEX_OFF` where the
   * node does not index transactions.
   */
  transaction(hash: Uint8Array | string, options?: CallOptions): Promise<TransactionInBlock>
  /**
   * Hands a transaction to the chain; a text is sent as UTF-8. Resolves when it was taken, which does not say that it is
   * in a block yet. Never repeated by itself. Rejects with `TX_REFUSED`, `TX_NO_ROOM`, `TX_NOT_ACCEPTED` or
   * `NO_AGGREGATOR`.
   *
   * @example
   * const { hash } = await client.submit('name=Ada')
   */
  submit(tx: Uint8Array | string, options?: CallOptions): Promise<{ readonly hash: Uint8Array }>
  /** Who the node is connected to. */
  peers(options?: CallOptions): Promise<NetworkInfo>
  /** What an aggregator posted to DA lately, newest first; nothing on other nodes. */
  submissions(options?: CallOptions & { readonly limit?: number }): Promise<readonly DaSubmission[]>
  /** How much the node logs. Only on its own machine: elsewhere rejects with `NOT_ALLOWED`. */
  logLevel(options?: CallOptions): Promise<string>
  /** Changes how much the node logs, until it stops; resolves with the level before. Only on its own machine. */
  setLogLevel(level: string, options?: CallOptions): Promise<string>
}

/**
 * Makes a {@link Client} of the node at `url`: `http://127.0.0.1:7331`, or the `rpc.address` as it stands in the
 * configuration. Nothing is connected before the first call. Runs in Node and in browsers. Throws `INVALID_REQUEST` when
 * `url` is none.
 *
 * @example
 * import { createClient } from 'evolve-node/client'
 *
 * const client = createClient('http://127.0.0.1:7331')
 * const { chainId } = await client.info()
 * for await (const block of client.subscribeBlocks()) {
 *   console.log(chainId, block.height, block.txCount)
 * }
 */
export function createClient(url: string, options: ClientOptions = {}): Client {
  const { timeout = 10_000, retries = 2, fetch = globalThis.fetch, env = systemEnv } = options
  const baseUrl = nodeUrl(url)
  const transport = createConnectTransport({
    baseUrl,
    useBinaryFormat: true,
    fetch: async (input, init) => {
      try {
        return await fetch(input, init)
      } catch (cause) {
        throw unreachable(baseUrl, cause)
      }
    },
  })
  const chain = createConnectClient(ChainService, transport)
  const network = createConnectClient(NetworkService, transport)
  const admin = createConnectClient(AdminService, transport)
  const rules: CallRules = { url: baseUrl, env, timeout, retries }

  async function ask<T>(
    what: string,
    callOptions: CallOptions | undefined,
    send: Call<T>['send'],
    safe = true,
  ): Promise<T> {
    return await makeCall(rules, { what, safe, send }, callOptions ?? {})
  }

  async function status(callOptions?: CallOptions): Promise<NodeStatus> {
    const answer = await ask('the status', callOptions, async (call) => await chain.getStatus({}, call))
    return statusOf(answer.status)
  }

  return {
    url: baseUrl,
    async info(callOptions) {
      return infoOf(await ask('what it is', callOptions, async (call) => await chain.getInfo({}, call)))
    },
    status,
    async block(id, callOptions) {
      const identifier = identifierOf(id)
      return blockOf(
        await ask('a block', callOptions, async (call) => await chain.getBlock({ identifier }, call)),
      )
    },
    async blocks({ from, limit = 0, ...callOptions } = {}) {
      const request = { from: heightArgument('from', from), limit }
      const { blocks } = await ask(
        'blocks',
        callOptions,
        async (call) => await chain.listBlocks(request, call),
      )
      return blocks.map(summaryOf)
    },
    async transactions(height, { offset = 0, limit = 0, ...callOptions } = {}) {
      const request = { height: heightArgument('height', height), offset, limit }
      return transactionPageOf(
        await ask(
          'transactions of a block',
          callOptions,
          async (call) => await chain.listTransactions(request, call),
        ),
      )
    },
    async transaction(hash, callOptions) {
      const request = { hash: hashArgument(hash) }
      return transactionInBlockOf(
        await ask('a transaction', callOptions, async (call) => await chain.getTransaction(request, call)),
      )
    },
    async submit(tx, callOptions) {
      const data = typeof tx === 'string' ? utf8(tx) : tx
      const { hash } = await ask(
        'to take a transaction',
        callOptions,
        async (call) => await chain.submitTransaction({ data }, call),
        false,
      )
      return { hash }
    },
    async peers(callOptions) {
      return networkInfoOf(
        await ask('its peers', callOptions, async (call) => await network.listPeers({}, call)),
      )
    },
    async submissions({ limit = 0, ...callOptions } = {}) {
      const { submissions } = await ask(
        'what it posted to DA',
        callOptions,
        async (call) => await network.listSubmissions({ limit }, call),
      )
      return submissions.map(submissionOf)
    },
    async logLevel(callOptions) {
      const { level } = await ask(
        'how much it logs',
        callOptions,
        async (call) => await admin.getLogLevel({}, call),
      )
      return level
    },
    async setLogLevel(level, callOptions) {
      const { previous } = await ask(
        'to change how much it logs',
        callOptions,
        async (call) => await admin.setLogLevel({ level }, call),
        false,
      )
      return previous
    },
    ...createSubscriptions({ url: baseUrl, env, chain, status }),
  }
}
