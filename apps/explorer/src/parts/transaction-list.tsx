import { toHex, type Transaction } from 'evolve-node/client'
import { formatBytes, formatCount } from '../format.ts'
import { client } from '../node.ts'
import { useQuery } from '../query.ts'
import { Link } from '../router.tsx'
import { blockPath, placePath } from '../routes.ts'
import { previewText } from '../text.ts'
import { moveAlongRows } from './arrow-keys.ts'
import { ShortHash } from './hash.tsx'
import { Pager } from './pager.tsx'
import { Answered } from './states.tsx'

/** Transactions of a page: few enough to be drawn at once, however many a block has. */
export const TXS_PER_PAGE = 50
/** Bytes that are shown as hex in a row. */
const HEX_BYTES = 48

interface TransactionListProps {
  readonly height: number
  readonly total: number
  readonly offset: number
}

/** The transactions of a block, a page of them. */
export function TransactionList({ height, total, offset }: TransactionListProps) {
  const last = Math.max(0, Math.floor((total - 1) / TXS_PER_PAGE) * TXS_PER_PAGE)
  const start = Math.min(offset - (offset % TXS_PER_PAGE), last)
  // The place is no part of the key: while a page is turned, the one before stays.
  const query = useQuery(
    `transactions ${height}`,
    async (signal) => await client.transactions(height, { offset: start, limit: TXS_PER_PAGE, signal }),
    start,
  )
  const end = Math.min(start + TXS_PER_PAGE, total)
  const first = query.value?.transactions[0]?.index ?? start
  const at = (to: number): string => blockPath(height, to)
  return (
    <section class="card" aria-labelledby="txs-title">
      <header class="card-head">
        <h2 id="txs-title">Transactions</h2>
        {total > TXS_PER_PAGE ? (
          <Pager
            what="Pages of transactions"
            back={start > 0 ? { to: at(start - TXS_PER_PAGE), name: 'Transactions before' } : undefined}
            forth={end < total ? { to: at(end), name: 'Transactions after' } : undefined}
          >
            <span class="pager-place">
              {formatCount(first)}–{formatCount(Math.min(first + TXS_PER_PAGE, total) - 1)} of{' '}
              {formatCount(total)}
            </span>
          </Pager>
        ) : (
          <p class="muted">{formatCount(total)}</p>
        )}
      </header>
      <Answered query={query} what="transactions">
        {({ transactions }) => <TransactionTable transactions={transactions} />}
      </Answered>
    </section>
  )
}

function TransactionTable({ transactions }: { readonly transactions: readonly Transaction[] }) {
  return (
    <div class="rows">
      <table class="transactions">
        <thead>
          <tr>
            <th scope="col" class="number">
              #
            </th>
            <th scope="col">Content</th>
            <th scope="col" class="wide">
              Hash
            </th>
            <th scope="col" class="number">
              Size
            </th>
          </tr>
        </thead>
        <tbody onKeyDown={moveAlongRows}>
          {transactions.map((transaction) => (
            <TransactionRow key={transaction.index} transaction={transaction} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function TransactionRow({ transaction }: { readonly transaction: Transaction }) {
  const { height, index, data, hash, size } = transaction
  const text = previewText(data)
  const hex = `${toHex(data.subarray(0, HEX_BYTES))}${size > HEX_BYTES ? '…' : ''}`
  return (
    <tr class="row">
      <td class="number">
        <Link
          to={placePath(height, index)}
          class="row-link"
          data-row
          aria-label={`Transaction ${formatCount(index)}`}
        >
          {formatCount(index)}
        </Link>
      </td>
      <td class="content">
        {text === undefined ? null : (
          <bdi class="content-text">{text === '' ? <span class="muted">empty</span> : text}</bdi>
        )}
        <code class="content-hex">{hex}</code>
      </td>
      <td class="wide">
        <ShortHash bytes={hash} />
      </td>
      <td class="number">{formatBytes(size)}</td>
    </tr>
  )
}
