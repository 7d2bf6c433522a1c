import { type Block, toHex } from 'evolve-node/client'
import { useRef } from 'preact/hooks'
import { formatBytes, formatCount, formatTime, shorten } from '../format.ts'
import { client, live } from '../node.ts'
import { Age } from '../parts/age.tsx'
import { Field, Fields } from '../parts/fields.tsx'
import { Finality } from '../parts/finality.tsx'
import { FullHash } from '../parts/hash.tsx'
import { Page } from '../parts/page.tsx'
import { Pager } from '../parts/pager.tsx'
import { Answered } from '../parts/states.tsx'
import { TransactionList } from '../parts/transaction-list.tsx'
import { useQuery } from '../query.ts'
import { Link } from '../router.tsx'
import { blockPath } from '../routes.ts'
import { notYet } from '../search.ts'
import { useValue } from '../value.ts'

interface BlockPageProps {
  readonly id: number | string
  readonly offset: number
}

/** One block: its header, where it lies on DA, its transactions. */
export function BlockPage({ id, offset }: BlockPageProps) {
  const status = useValue(live.status)
  // The height of a block that was found by its hash.
  const found = useRef<{ readonly id: string; readonly height: number } | undefined>(undefined)
  const known = typeof id === 'number' ? id : found.current?.id === id ? found.current.height : undefined
  const ahead = known !== undefined && status !== undefined && known > status.height
  const query = useQuery(
    ahead ? undefined : `block ${id}`,
    async (signal) => {
      const block = await client.block(id, { signal })
      if (typeof id === 'string') found.current = { id, height: block.summary.height }
      // The transactions come in pages: held here as well, those of a full block would only take room.
      return { ...block, data: { ...block.data, txs: [] } }
    },
    known !== undefined && status !== undefined && known <= status.finalHeight,
  )
  const height = query.value?.summary.height ?? known
  const top = status?.height ?? 0
  return (
    <Page
      kind="Block"
      title={height === undefined ? shorten(String(id), 8, 6) : formatCount(height)}
      aside={
        height === undefined || ahead ? null : (
          <Neighbours height={height} top={top} earliest={status?.earliestHeight ?? 1} />
        )
      }
    >
      {ahead ? (
        <p class="note">{notYet(known, top)}</p>
      ) : (
        <Answered query={query} what="the block">
          {(block) => (
            <>
              <BlockFields block={block} />
              {block.summary.txCount === 0 ? (
                <p class="note">This block has no transactions.</p>
              ) : (
                <TransactionList
                  height={block.summary.height}
                  total={block.summary.txCount}
                  offset={offset}
                />
              )}
              <HeaderFields block={block} />
            </>
          )}
        </Answered>
      )}
    </Page>
  )
}

function Neighbours({
  height,
  top,
  earliest,
}: {
  readonly height: number
  readonly top: number
  readonly earliest: number
}) {
  const target = (to: number, name: string) => ({
    to: blockPath(to),
    name: `${name} block, ${formatCount(to)}`,
  })
  return (
    <Pager
      what="Neighbouring blocks"
      back={height > Math.max(1, earliest) ? target(height - 1, 'Previous') : undefined}
      forth={height < top ? target(height + 1, 'Next') : undefined}
    />
  )
}

function BlockFields({ block: { summary } }: { readonly block: Block }) {
  return (
    <section class="card" aria-label="Block">
      <Fields>
        <Field name="Time">
          {formatTime(summary.time)}
          <span class="beside">
            <Age time={summary.time} />
          </span>
        </Field>
        <Field name="DA">
          <Finality block={summary} long />
        </Field>
        <Field name="Transactions">
          {formatCount(summary.txCount)}
          <span class="beside">{formatBytes(summary.txBytes)}</span>
        </Field>
        <Field name="Hash">
          <FullHash bytes={summary.hash} what="header hash" />
        </Field>
        <Field name="Previous">
          {summary.previousHash.length === 0 ? (
            <span class="muted">none: this is the first block</span>
          ) : (
            <FullHash bytes={summary.previousHash} what="hash of the previous header" />
          )}
        </Field>
        <Field name="State root">
          {summary.stateRoot.length === 0 ? (
            <span class="muted">no longer kept</span>
          ) : (
            <FullHash bytes={summary.stateRoot} what="state root after this block" />
          )}
        </Field>
        <Field name="Data">
          <FullHash bytes={summary.dataHash} what="commitment to the transactions" />
        </Field>
        <Field name="Proposer">
          <FullHash bytes={summary.proposerAddress} what="proposer's address" />
        </Field>
      </Fields>
    </section>
  )
}

function HeaderFields({ block: { summary, header: signed } }: { readonly block: Block }) {
  const { header, signature } = signed
  return (
    <details class="card more">
      <summary>Signed header</summary>
      <Fields>
        <Field name="Chain">{header.chainId}</Field>
        <Field name="Version">
          block {String(header.version.block)}, application {String(header.version.app)}
        </Field>
        <Field name="App hash">
          <FullHash bytes={summary.appHash} what="app hash, the state root before this block" />
        </Field>
        <Field name="Validators">
          <FullHash bytes={header.validatorHash} what="validator hash" />
        </Field>
        <Field name="Signature">
          <FullHash bytes={signature} what="signature" />
        </Field>
        <Field name="By hash">
          <Link to={blockPath(toHex(summary.hash))}>Address that names this very block</Link>
        </Field>
      </Fields>
    </details>
  )
}
