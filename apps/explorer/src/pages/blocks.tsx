import { formatCount } from '../format.ts'
import { client, live } from '../node.ts'
import { BlockTable } from '../parts/block-rows.tsx'
import { Page } from '../parts/page.tsx'
import { Pager } from '../parts/pager.tsx'
import { Answered, Nothing } from '../parts/states.tsx'
import { useQuery } from '../query.ts'
import { blocksPath } from '../routes.ts'
import { useValue } from '../value.ts'

/** Blocks of a page. */
const ROWS = 50

/** Blocks from a height downwards. */
export function BlocksPage({ from }: { readonly from: number }) {
  const height = useValue(live.status)?.height ?? 0
  const query = useQuery(
    `blocks ${from}`,
    async (signal) => await client.blocks({ from, limit: ROWS, signal }),
  )
  const lowest = query.value?.at(-1)?.height
  return (
    <Page
      kind="Blocks from"
      title={formatCount(from)}
      aside={
        <Pager
          what="Pages of blocks"
          back={
            from < height
              ? { to: blocksPath(Math.min(from + ROWS, height)), name: 'Newer blocks' }
              : undefined
          }
          forth={
            lowest === undefined || lowest <= 1
              ? undefined
              : { to: blocksPath(lowest - 1), name: 'Older blocks' }
          }
        />
      }
    >
      <Answered query={query} what="blocks">
        {(blocks) =>
          blocks.length === 0 ? (
            <Nothing>There are no blocks here.</Nothing>
          ) : (
            <section class="card" aria-label="Blocks">
              <BlockTable blocks={blocks} />
            </section>
          )
        }
      </Answered>
    </Page>
  )
}
