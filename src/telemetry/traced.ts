/*
 * Executor, store, DA client and sequencer with a span around each call: names and attributes are those of ev-node.
 * What they are able to do stays what it is: a node asks an executor what it can do by looking whether it has a method.
 */
import type { BlockStore } from '../core/block-store.ts'
import type { DaClient } from '../core/da.ts'
import type { Executor } from '../core/executor.ts'
import type { Sequencer } from '../core/sequencer.ts'
import type { Tracing } from '../core/tracing.ts'
import { toHex } from '../util/bytes.ts'
import { type Around, around } from './around.ts'

/** The executor, with spans. */
export function tracedExecutor(executor: Executor, { span }: Tracing): Executor {
  const methods: Around<Executor> = {
    initChain: (inner) => async (genesis, options) =>
      await span(
        'Executor.InitChain',
        { 'chain.id': genesis.chainId, 'initial.height': genesis.initialHeight },
        async () => await inner(genesis, options),
      ),
    getTxs: (inner) => async (options) =>
      await span('Executor.GetTxs', {}, async ({ set }) => {
        const txs = await inner(options)
        set({ 'tx.count': txs.length })
        return txs
      }),
    executeTxs: (inner) => async (request, options) =>
      await span(
        'Executor.ExecuteTxs',
        { 'block.height': request.height, 'tx.count': request.txs.length },
        async () => await inner(request, options),
      ),
    setFinal: (inner) => async (height, options) =>
      await span('Executor.SetFinal', { 'block.height': height }, async () => await inner(height, options)),
    getExecutionInfo: (inner) => async (options) =>
      await span('Executor.GetExecutionInfo', {}, async ({ set }) => {
        const info = await inner(options)
        set({ max_gas: Number(info.maxGas) })
        return info
      }),
    filterTxs: (inner) => async (request, options) =>
      await span(
        'Executor.FilterTxs',
        { 'tx.count': request.txs.length, max_bytes: request.maxBytes, max_gas: Number(request.maxGas) },
        async () => await inner(request, options),
      ),
    latestHeight: (inner) => async (options) =>
      await span('Executor.GetLatestHeight', {}, async () => await inner(options)),
    rollback: (inner) => async (height, options) =>
      await span('Executor.Rollback', { 'block.height': height }, async () => await inner(height, options)),
    prune: (inner) => async (height, options) =>
      await span('Executor.Prune', { 'block.height': height }, async () => await inner(height, options)),
    submitTx: (inner) => async (tx, options) =>
      await span('Executor.SubmitTx', { 'tx.bytes': tx.length }, async () => await inner(tx, options)),
  }
  return around(executor, methods)
}

/** The block store, with spans. */
export function tracedStore<T extends BlockStore>(store: T, { span }: Tracing): T {
  const methods: Around<BlockStore> = {
    height: (inner) => async () => await span('Store.Height', {}, inner),
    header: (inner) => async (height) =>
      await span('Store.GetHeader', { height }, async () => await inner(height)),
    data: (inner) => async (height) =>
      await span('Store.GetData', { height }, async () => await inner(height)),
    block: (inner) => async (height) =>
      await span('Store.GetBlockData', { height }, async () => await inner(height)),
    heightOf: (inner) => async (hash) =>
      await span('Store.GetHeightByHash', { hash: toHex(hash) }, async () => await inner(hash)),
    state: (inner) => async () => await span('Store.GetState', {}, inner),
    stateAt: (inner) => async (height) =>
      await span('Store.GetStateAtHeight', { height }, async () => await inner(height)),
    saveBlocks: (inner) => async (blocks, options) =>
      await span(
        'Store.SaveBlocks',
        { 'block.count': blocks.length, height: blocks.at(-1)?.header.header.height ?? 0 },
        async () => await inner(blocks, options),
      ),
    saveInclusion: (inner) => async (blocks, options) =>
      await span(
        'Store.SaveInclusion',
        { 'block.count': blocks.length, height: blocks.at(-1)?.height ?? 0 },
        async () => await inner(blocks, options),
      ),
    metadata: (inner) => async (key) =>
      await span('Store.GetMetadata', { key }, async () => await inner(key)),
    saveMetadata: (inner) => async (key, value) =>
      await span(
        'Store.SetMetadata',
        { key, 'value.size': value.length },
        async () => await inner(key, value),
      ),
  }
  return around(store, methods)
}

/** The DA client, with spans. */
export function tracedDa(client: DaClient, { span }: Tracing): DaClient {
  const methods: Around<DaClient> = {
    submit: (inner) => async (blobs, options) =>
      await span(
        'DA.Submit',
        {
          'blob.count': blobs.length,
          'blob.total_size_bytes': blobs.reduce((sum, { data }) => sum + data.length, 0),
          'da.namespace': toHex(blobs[0]?.namespace ?? new Uint8Array()),
        },
        async ({ set }) => {
          const height = await inner(blobs, options)
          set({ 'da.height': height })
          return height
        },
      ),
    getAll: (inner) => async (height, namespaces, options) =>
      await span(
        'DA.Retrieve',
        { 'da.height': height, 'da.namespace': namespaces.map(toHex).join(',') },
        async ({ set }) => {
          const blobs = await inner(height, namespaces, options)
          set({ 'blob.count': blobs.length })
          return blobs
        },
      ),
    header: (inner) => async (height, options) =>
      await span('DA.GetHeader', { 'da.height': height }, async () => await inner(height, options)),
    head: (inner) => async (options) =>
      await span('DA.GetLatestDAHeight', {}, async ({ set }) => {
        const head = await inner(options)
        set({ 'da.height': head.height })
        return head
      }),
  }
  return around(client, methods)
}

/** The sequencer, with spans. */
export function tracedSequencer(sequencer: Sequencer, { span }: Tracing): Sequencer {
  const methods: Around<Sequencer> = {
    submit: (inner) => async (txs, options) =>
      await span(
        'Sequencer.SubmitBatchTxs',
        { 'tx.count': txs.length, 'batch.size_bytes': txs.reduce((sum, tx) => sum + tx.length, 0) },
        async () => await inner(txs, options),
      ),
    next: (inner) => async (options) =>
      await span('Sequencer.GetNextBatch', { max_bytes: options.maxBytes }, async ({ set }) => {
        const batch = await inner(options)
        set({ 'tx.count': batch.txs.length })
        return batch
      }),
  }
  return around(sequencer, methods)
}
