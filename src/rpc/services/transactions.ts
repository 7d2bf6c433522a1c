import { create } from '@bufbuild/protobuf'
import { sha256 } from '#crypto'
import type { NodeView } from '../../core/node-view.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import type { BlockReader } from '../block-reader.ts'
import { invalidRequest } from '../errors.ts'
import {
  type GetTransactionRequest,
  type GetTransactionResponse,
  GetTransactionResponseSchema,
  type ListTransactionsRequest,
  type ListTransactionsResponse,
  ListTransactionsResponseSchema,
  type Transaction,
  TransactionSchema,
} from '../gen/evolve/v1/chain_pb.ts'
import { heightOf, summaryMessage } from '../messages.ts'

/** Answers calls about transactions. */
export interface TransactionReader {
  /** A page of the transactions of a block. */
  readonly list: (request: ListTransactionsRequest) => Promise<ListTransactionsResponse>
  /** Rejects with `TX_INDEX_OFF` or `TX_NOT_FOUND`. */
  readonly get: (request: GetTransactionRequest) => Promise<GetTransactionResponse>
}

/** Bounds of a page: transactions usually and at most, bytes of one and of all. */
const PAGE = { usual: 100, most: 1_000, bytesOfOne: 65_536, bytes: 4 << 20 }

/** Makes a {@link TransactionReader}. */
export function createTransactionReader(node: NodeView, reader: BlockReader): TransactionReader {
  return {
    async list({ height: asked, offset, limit }) {
      const height = heightOf(asked)
      if (height === 0) throw invalidRequest('the height of a block is missing')
      const { data } = await reader.block(height)
      const most = Math.min(limit === 0 ? PAGE.usual : limit, PAGE.most)
      const transactions: Transaction[] = []
      let bytes = 0
      for (const [place, tx] of data.txs.slice(offset, offset + most).entries()) {
        const cut = tx.subarray(0, PAGE.bytesOfOne)
        bytes += cut.length
        if (bytes > PAGE.bytes) break
        transactions.push(transactionMessage({ height, index: offset + place }, tx, cut))
      }
      return create(ListTransactionsResponseSchema, { transactions, total: data.txs.length })
    },
    async get({ hash }) {
      if (hash.length !== 32) throw invalidRequest(`a hash must be of 32 bytes, got ${hash.length}`)
      const { transactions } = node
      if (transactions === undefined) {
        throw new EvolveError(
          'TX_INDEX_OFF',
          'this node does not index transactions: rpc.transaction_index is off',
        )
      }
      const place = await transactions.find(hash)
      const parts = place === undefined ? undefined : await reader.whole(place.height)
      const tx = place === undefined ? undefined : parts?.data.txs[place.index]
      if (place === undefined || parts === undefined || tx === undefined || !equalBytes(sha256(tx), hash)) {
        throw new EvolveError(
          'TX_NOT_FOUND',
          `no block up to ${transactions.height}, the last that is indexed, holds the transaction ${toHex(hash)}`,
        )
      }
      return create(GetTransactionResponseSchema, {
        transaction: transactionMessage(place, tx, tx),
        block: summaryMessage(parts),
      })
    },
  }
}

function transactionMessage(
  { height, index }: { readonly height: number; readonly index: number },
  tx: Uint8Array,
  shown: Uint8Array,
): Transaction {
  return create(TransactionSchema, {
    hash: sha256(tx),
    height: BigInt(height),
    index,
    data: shown,
    size: BigInt(tx.length),
  })
}
