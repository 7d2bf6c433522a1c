import { type DaSubmission, type NodeInfo, type NodeStatus } from 'evolve-node/client'
import { countOf, formatBytes, formatCount, formatDuration } from '../format.ts'
import { client, live } from '../node.ts'
import { Age } from '../parts/age.tsx'
import { Field, Fields } from '../parts/fields.tsx'
import { FullHash } from '../parts/hash.tsx'
import { Page } from '../parts/page.tsx'
import { Answered, Loading, Nothing } from '../parts/states.tsx'
import { useFresh } from '../query.ts'
import { Link } from '../router.tsx'
import { blockPath } from '../routes.ts'
import { useValue } from '../value.ts'
import { sentence } from '../words.ts'

/** Milliseconds between two looks at the submissions. */
const EVERY = 2_000
/** Submissions that are shown. */
const ROWS = 100

/** Where the chain lies on DA, how far it is read, and what was posted. */
export function AvailabilityPage() {
  const info = useValue(live.info)
  const status = useValue(live.status)
  return (
    <Page title="Data availability">
      {info === undefined || status === undefined ? (
        <Loading what="the state of DA" />
      ) : status.da === undefined ? (
        <Nothing>This node uses no DA layer.</Nothing>
      ) : (
        <>
          <DaFields info={info} status={status} da={status.da} />
          <Submissions aggregator={status.role === 'aggregator'} />
        </>
      )}
    </Page>
  )
}

interface DaFieldsProps {
  readonly info: NodeInfo
  readonly status: NodeStatus
  readonly da: NonNullable<NodeStatus['da']>
}

function DaFields({ info, status, da }: DaFieldsProps) {
  const { head, next, reachable, pending } = da
  const { height, finalHeight, role } = status
  return (
    <section class="card" aria-label="State of DA">
      <Fields>
        <Field name="DA node">
          <span class={reachable ? 'finality final' : 'finality lost-da'}>
            <span class="dot" aria-hidden="true" />
            {reachable ? 'reachable' : 'cannot be reached'}
          </span>
        </Field>
        <Field name="Head">{head === 0 ? <span class="muted">none known</span> : formatCount(head)}</Field>
        <Field name="Read next">
          {formatCount(next)}
          <span class="beside">{lagWords(head - next + 1)}</span>
        </Field>
        <Field name="Final">
          {finalHeight < info.initialHeight ? (
            <span class="muted">no block yet</span>
          ) : (
            <>
              <Link to={blockPath(finalHeight)}>{formatCount(finalHeight)}</Link>
              <span class="beside">
                {countOf(Math.max(0, height - finalHeight), 'block')} behind the chain
              </span>
            </>
          )}
        </Field>
        {role === 'aggregator' ? (
          <Field name="Pending">
            {formatCount(pending)}
            <span class="beside">headers and data to be posted</span>
          </Field>
        ) : null}
        {info.namespaces === undefined ? null : (
          <>
            <Field name="Headers in">
              <FullHash bytes={info.namespaces.header} dim what="namespace of headers" />
            </Field>
            <Field name="Data in">
              <FullHash bytes={info.namespaces.data} dim what="namespace of data" />
            </Field>
          </>
        )}
      </Fields>
    </section>
  )
}

function lagWords(left: number): string {
  return left <= 0 ? 'all there is was read' : `${countOf(left, 'DA height')} to read`
}

function Submissions({ aggregator }: { readonly aggregator: boolean }) {
  const query = useFresh(
    'submissions',
    EVERY,
    async (signal) => await client.submissions({ limit: ROWS, signal }),
  )
  return (
    <section class="card" aria-labelledby="submissions-title">
      <header class="card-head">
        <h2 id="submissions-title">Recent submissions</h2>
        {query.value === undefined || query.value.length === 0 ? null : (
          <p class="muted">{outcome(query.value)}</p>
        )}
      </header>
      <Answered query={query} what="submissions">
        {(submissions) =>
          submissions.length > 0 ? (
            <SubmissionTable submissions={submissions} />
          ) : (
            <Nothing>
              {aggregator
                ? 'Nothing has been posted since the node was started.'
                : 'This node posts nothing: an aggregator does.'}
            </Nothing>
          )
        }
      </Answered>
    </section>
  )
}

function outcome(submissions: readonly DaSubmission[]): string {
  const failed = submissions.filter(({ failure }) => failure !== undefined).length
  return failed === 0
    ? `the last ${submissions.length}, all taken`
    : `${failed} of the last ${submissions.length} failed`
}

function SubmissionTable({ submissions }: { readonly submissions: readonly DaSubmission[] }) {
  return (
    <div class="rows">
      <table class="submissions">
        <thead>
          <tr>
            <th scope="col">Blocks</th>
            <th scope="col">Kind</th>
            <th scope="col" class="number wide">
              Blobs
            </th>
            <th scope="col" class="number middle">
              Size
            </th>
            <th scope="col" class="number wide">
              Took
            </th>
            <th scope="col" class="number middle">
              When
            </th>
            <th scope="col">Result</th>
          </tr>
        </thead>
        <tbody>
          {submissions.map((submission) => (
            <SubmissionRow key={submission.number} submission={submission} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function SubmissionRow({ submission }: { readonly submission: DaSubmission }) {
  const { firstHeight, lastHeight, kind, blobs, bytes, duration, time, daHeight, failure } = submission
  return (
    <>
      <tr class={failure === undefined ? '' : 'with-reason'}>
        <td class="span">
          <Link to={blockPath(firstHeight)}>{formatCount(firstHeight)}</Link>
          {lastHeight === firstHeight ? null : (
            <>
              –<wbr />
              <Link to={blockPath(lastHeight)}>{formatCount(lastHeight)}</Link>
            </>
          )}
        </td>
        <td>{kind === 'header' ? 'headers' : 'data'}</td>
        <td class="number wide">{formatCount(blobs)}</td>
        <td class="number middle">{formatBytes(bytes)}</td>
        <td class="number wide">{duration < 1_000 ? `${duration} ms` : formatDuration(duration)}</td>
        <td class="number middle">
          <Age time={time} />
        </td>
        <td>
          {failure === undefined ? (
            <span class="finality final">
              <span class="dot" aria-hidden="true" />
              {daHeight === undefined ? 'taken' : `DA ${formatCount(daHeight)}`}
            </span>
          ) : (
            <span class="finality failed">
              <span class="dot" aria-hidden="true" />
              not taken
            </span>
          )}
        </td>
      </tr>
      {failure === undefined ? null : (
        <tr>
          <td class="reason" colSpan={7}>
            {sentence(failure.message)} <code>{failure.code}</code>
          </td>
        </tr>
      )}
    </>
  )
}
