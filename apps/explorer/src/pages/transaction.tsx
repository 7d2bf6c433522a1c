import {
  type BlockSummary,
  EvolveError,
  toHex,
  type Transaction,
  type TransactionInBlock,
} from 'evolve-node/client'
import { formatBytes, formatCount, formatTime, shorten } from '../format.ts'
import { client, live } from '../node.ts'
import { Age } from '../parts/age.tsx'
import { BytesView } from '../parts/bytes-view.tsx'
import { Field, Fields } from '../parts/fields.tsx'
import { Finality } from '../parts/finality.tsx'
import { FullHash } from '../parts/hash.tsx'
import { Page } from '../parts/page.tsx'
import { Pager } from '../parts/pager.tsx'
import { Answered } from '../parts/states.tsx'
import { type Query, useQuery } from '../query.ts'
import { Link } from '../router.tsx'
import { blockPath, placePath } from '../routes.ts'
import { useValue } from '../value.ts'

/** A transaction that is known by its hash. */
export function TransactionPage({ hash }: { readonly hash: string }) {
  const query = useQuery(
    `transaction ${hash}`,
    async (signal) => await client.transaction(hash, { signal }),
    useFinality(),
  )
  return <TransactionView title={shorten(hash, 8, 6)} query={query} />
}

/** A transaction that is known by its place. */
export function TransactionAtPage({ height, index }: { readonly height: number; readonly index: number }) {
  const query = useQuery(
    `transaction ${height} ${index}`,
    async (signal) => await transactionAt(height, index, signal),
    useFinality(height),
  )
  return <TransactionView title={`${formatCount(index)} of block ${formatCount(height)}`} query={query} />
}

/** Changes when `height` becomes final. */
function useFinality(height = 0): boolean {
  const status = useValue(live.status)
  return status !== undefined && height <= status.finalHeight
}

async function transactionAt(
  height: number,
  index: number,
  signal: AbortSignal,
): Promise<TransactionInBlock> {
  const [{ transactions }, [block]] = await Promise.all([
    client.transactions(height, { offset: index, limit: 1, signal }),
    client.blocks({ from: height, limit: 1, signal }),
  ])
  const [transaction] = transactions
  if (transaction === undefined || block?.height !== height) {
    throw new EvolveError('TX_NOT_FOUND', `block ${height} has no transaction ${index}`)
  }
  if (transaction.data.length === transaction.size) return { transaction, block }
  // Lists hold the beginning only.
  const whole = await client.block(height, { signal })
  return { transaction: { ...transaction, data: whole.data.txs[index] ?? transaction.data }, block }
}

function TransactionView({
  title,
  query,
}: {
  readonly title: string
  readonly query: Query<TransactionInBlock>
}) {
  const { value } = query
  return (
    <Page
      kind="Transaction"
      title={title}
      aside={value === undefined ? null : <Neighbours transaction={value.transaction} block={value.block} />}
    >
      <Answered query={query} what="the transaction">
        {({ transaction, block }) => (
          <>
            <TransactionFields transaction={transaction} block={block} />
            <BytesView key={toHex(transaction.hash)} bytes={transaction.data} />
          </>
        )}
      </Answered>
    </Page>
  )
}

interface TransactionProps {
  readonly transaction: Transaction
  readonly block: BlockSummary
}

function Neighbours({ transaction: { height, index }, block }: TransactionProps) {
  return (
    <Pager
      what="Neighbouring transactions"
      back={index > 0 ? { to: placePath(height, index - 1), name: 'Previous transaction' } : undefined}
      forth={
        index + 1 < block.txCount ? { to: placePath(height, index + 1), name: 'Next transaction' } : undefined
      }
    />
  )
}

function TransactionFields({ transaction, block }: TransactionProps) {
  const { hash, height, index, size } = transaction
  return (
    <section class="card" aria-label="Transaction">
      <Fields>
        <Field name="Hash">
          <FullHash bytes={hash} what="transaction hash" />
        </Field>
        <Field name="Block">
          <Link to={blockPath(height)}>{formatCount(height)}</Link>
          <span class="beside">
            place {formatCount(index)} of {formatCount(block.txCount)}, from 0
          </span>
        </Field>
        <Field name="Time">
          {formatTime(block.time)}
          <span class="beside">
            <Age time={block.time} />
          </span>
        </Field>
        <Field name="DA">
          <Finality block={block} long />
        </Field>
        <Field name="Size">{formatBytes(size)}</Field>
      </Fields>
    </section>
  )
}
