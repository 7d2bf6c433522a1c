/*
 * The methods of celestia-node's JSON-RPC that are served.
 */
import { equalBytes } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { blobToJson } from '../blob.ts'
import { blobsJson, commitmentProofJson, headerJson, isSameProof, proofJson } from './answers.ts'
import type { LocalBlock } from './block.ts'
import type { LocalChain } from './chain.ts'
import { rpcError, shown } from './json-rpc.ts'
import {
  blobsParam,
  commitmentParam,
  expectCount,
  heightParam,
  namespaceParam,
  namespacesParam,
} from './params.ts'
import type { Producer } from './producer.ts'
import type { Topic } from './subscriptions.ts'

/** What a method gives: a value for the answer, or what is subscribed to. */
export type MethodResult =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'subscription'; readonly topic: Topic }

/** How a call is to be carried out. */
export interface CallContext {
  readonly signal: AbortSignal
  /** A submission is answered, but gets into no block. */
  readonly swallow?: boolean
}

/** Carries out a call; rejects with an EvolveError whose message is the answer's text. */
export type Methods = (
  method: string,
  params: readonly unknown[],
  context: CallContext,
) => Promise<MethodResult>

type Method = (params: readonly unknown[], context: CallContext) => Promise<unknown>

function notFound(): EvolveError {
  return new EvolveError('LOCAL_DA_NOT_FOUND', 'blob: not found')
}

/** Makes the {@link Methods} of a chain. */
export function createMethods(
  { chain, producer }: { readonly chain: LocalChain; readonly producer: Producer },
  { maxBlobSize }: { readonly maxBlobSize: number },
): Methods {
  const blockAt = async (value: unknown): Promise<LocalBlock> => {
    const height = heightParam(value)
    const block = await chain.block(height)
    if (block !== undefined) return block
    throw new EvolveError(
      'LOCAL_DA_FROM_FUTURE',
      `header: given height is from the future: networkHeight: ${chain.head.height}, requestedHeight: ${height}`,
    )
  }
  /** The block at a height and the place in it of the blob that the next two parameters name; -1 when there is none. */
  const find = async (
    height: unknown,
    namespace: unknown,
    commitment: unknown,
  ): Promise<{ readonly block: LocalBlock; readonly index: number }> => {
    const [ns, hash] = [namespaceParam(namespace), commitmentParam(commitment)]
    const block = await blockAt(height)
    const index = block.blobs.findIndex(
      (blob) => equalBytes(blob.namespace, ns) && equalBytes(blob.commitment, hash),
    )
    return { block, index }
  }
  const methods: Readonly<Record<string, Method>> = {
    async 'blob.Submit'(params, { signal, swallow = false }) {
      expectCount(params, 1, 2)
      return await producer.submit(blobsParam(params[0], maxBlobSize), { swallow, signal })
    },
    async 'blob.Get'(params) {
      expectCount(params, 3)
      const { block, index } = await find(params[0], params[1], params[2])
      const blob = block.blobs[index]
      if (blob === undefined) throw notFound()
      return blobToJson(blob)
    },
    async 'blob.GetAll'(params) {
      expectCount(params, 2)
      const namespaces = namespacesParam(params[1])
      return blobsJson(await blockAt(params[0]), namespaces)
    },
    async 'blob.GetProof'(params) {
      expectCount(params, 3)
      const { block, index } = await find(params[0], params[1], params[2])
      if (index === -1) throw notFound()
      return proofJson(block, index)
    },
    async 'blob.GetCommitmentProof'(params) {
      expectCount(params, 3)
      const { block, index } = await find(params[0], params[1], params[2])
      const blob = block.blobs[index]
      if (blob === undefined) throw notFound()
      return commitmentProofJson(blob.namespace, blob.data)
    },
    async 'blob.Included'(params) {
      expectCount(params, 4)
      const { block, index } = await find(params[0], params[1], params[3])
      if (index === -1) return false
      const proof = params[2]
      if (proof === null || isSameProof(proof, proofJson(block, index))) return true
      throw new EvolveError('LOCAL_DA_WRONG_PROOF', 'blob: invalid proof')
    },
    async 'header.GetByHeight'(params) {
      expectCount(params, 1)
      return headerJson(await blockAt(params[0]))
    },
    async 'header.LocalHead'(params) {
      expectCount(params, 0)
      return headerJson(chain.head)
    },
    async 'header.NetworkHead'(params) {
      expectCount(params, 0)
      return headerJson(chain.head)
    },
  }
  return async (method, params, context) => {
    if (method === 'blob.Subscribe') {
      expectCount(params, 1)
      return { kind: 'subscription', topic: { kind: 'blobs', namespace: namespaceParam(params[0]) } }
    }
    if (method === 'header.Subscribe') {
      expectCount(params, 0)
      return { kind: 'subscription', topic: { kind: 'headers' } }
    }
    const own = Object.hasOwn(methods, method) ? methods[method] : undefined
    if (own === undefined) throw rpcError('RPC_METHOD_NOT_FOUND', `method ${shown(method)} not found`)
    return { kind: 'value', value: await own(params, context) }
  }
}
