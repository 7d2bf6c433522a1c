import { toHex } from 'evolve-node/client'
import { useState } from 'preact/hooks'
import { formatBytes } from '../format.ts'
import { hexDump, shownText } from '../text.ts'
import { CopyButton } from './hash.tsx'

/** Bytes that are shown at first, and how many more each time. */
const [FIRST, MORE] = [2_048, 16_384]

/** Bytes that anybody may have made: as text where they are text, and as hex. */
export function BytesView({ bytes }: { readonly bytes: Uint8Array }) {
  const [limit, setLimit] = useState(FIRST)
  const part = bytes.subarray(0, limit)
  const cut = part.length < bytes.length
  const shown = shownText(part, { cut })
  const whole = shown === undefined || !cut ? shown : shownText(bytes)
  return (
    <>
      {shown === undefined ? null : (
        <section class="card" aria-labelledby="text-title">
          <header class="card-head">
            <h2 id="text-title">Text</h2>
            {shown.escaped ? (
              <p class="muted">characters that cannot be seen are written as \u{'{…}'}</p>
            ) : null}
            {whole === undefined || whole.escaped ? null : <CopyButton text={whole.text} what="text" />}
          </header>
          <pre class="bytes text" tabIndex={0} aria-labelledby="text-title">
            <bdi>{shown.text}</bdi>
            {cut ? '…' : ''}
          </pre>
        </section>
      )}
      <section class="card" aria-labelledby="hex-title">
        <header class="card-head">
          <h2 id="hex-title">Bytes</h2>
          {cut ? (
            <p class="muted">
              the first {formatBytes(part.length)} of {formatBytes(bytes.length)}
            </p>
          ) : null}
          <CopyButton text={toHex(bytes)} what="bytes as hex" />
        </header>
        <pre class="bytes" tabIndex={0} aria-labelledby="hex-title">
          {part.length === 0 ? 'no bytes' : hexDump(part)}
        </pre>
        {cut ? (
          <footer class="card-foot">
            <button type="button" class="button" onClick={() => setLimit(limit + MORE)}>
              Show more
            </button>
          </footer>
        ) : null}
      </section>
    </>
  )
}
