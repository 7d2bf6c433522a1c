import { fromHex, isEvolveError, toHex } from 'evolve-node/client'
import { useEffect, useState } from 'preact/hooks'
import { announce } from '../announce.tsx'
import { formatBytes, formatCount } from '../format.ts'
import { client, live } from '../node.ts'
import { FullHash } from '../parts/hash.tsx'
import { Page } from '../parts/page.tsx'
import { Link } from '../router.tsx'
import { blockPath, transactionPath } from '../routes.ts'
import { useValue } from '../value.ts'
import { failureWords, sentence } from '../words.ts'

type Form = 'text' | 'hex'

/** A transaction that was taken. */
interface Taken {
  readonly hash: Uint8Array
  /** Height of its block, once it is in one. */
  readonly height: number | undefined
}

/** Transactions that are remembered while the page is open. */
const REMEMBERED = 10

/** Bytes of what was typed, or what is wrong with it. */
function readTransaction(form: Form, typed: string): Uint8Array | string {
  if (form === 'text') return typed === '' ? 'Type a transaction first.' : new TextEncoder().encode(typed)
  const digits = typed.replaceAll(/\s/g, '').replace(/^0x/i, '')
  if (digits === '') return 'Type a transaction first.'
  return fromHex(digits) ?? 'Hex has two digits, 0 to 9 and a to f, for each byte.'
}

/** Hands a transaction to the chain. */
export function SubmitPage() {
  const [form, setForm] = useState<Form>('text')
  const [typed, setTyped] = useState('')
  const [trouble, setTrouble] = useState('')
  const [busy, setBusy] = useState(false)
  const [taken, setTaken] = useState<readonly Taken[]>([])
  const found = (hash: Uint8Array, height: number): void =>
    setTaken((before) => before.map((one) => (one.hash === hash ? { hash, height } : one)))

  async function submit(): Promise<void> {
    const tx = readTransaction(form, typed)
    if (typeof tx === 'string') {
      setTrouble(tx)
      return
    }
    setBusy(true)
    setTrouble('')
    try {
      const { hash } = await client.submit(tx)
      setTaken((before) => [{ hash, height: undefined }, ...before].slice(0, REMEMBERED))
      setTyped('')
      announce('The transaction was taken')
    } catch (error) {
      setTrouble(isEvolveError(error, 'TX_REFUSED') ? sentence(error.message) : failureWords(error))
    } finally {
      setBusy(false)
    }
  }

  const bytes = readTransaction(form, typed)
  return (
    <Page title="Submit a transaction">
      <form
        class="card submit"
        onSubmit={(event) => {
          event.preventDefault()
          if (!busy) void submit()
        }}
      >
        <fieldset class="choice">
          <legend>Written as</legend>
          {(['text', 'hex'] as const).map((one) => (
            <label key={one}>
              <input
                type="radio"
                name="form"
                value={one}
                checked={form === one}
                onChange={() => {
                  setForm(one)
                  setTrouble('')
                }}
              />
              {one === 'text' ? 'Text' : 'Hex'}
            </label>
          ))}
        </fieldset>
        <label class="typed">
          <span>Transaction</span>
          <textarea
            rows={4}
            value={typed}
            spellcheck={false}
            autoCapitalize="off"
            placeholder={form === 'text' ? 'name=Ada' : '6e616d653d416461'}
            aria-invalid={trouble !== ''}
            aria-describedby="submit-trouble"
            onInput={(event) => {
              setTyped(event.currentTarget.value)
              setTrouble('')
            }}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey))
                event.currentTarget.form?.requestSubmit()
            }}
          />
        </label>
        <p id="submit-trouble" class="trouble" role="alert">
          {trouble}
        </p>
        <div class="submit-foot">
          <button type="submit" class="button strong" aria-disabled={busy}>
            {busy ? 'Submitting…' : 'Submit'}
          </button>
          <span class="muted">
            {typeof bytes === 'string' ? 'the bytes go to the chain as they are' : formatBytes(bytes.length)}
          </span>
        </div>
      </form>
      {taken.length === 0 ? null : (
        <section class="card" aria-labelledby="taken-title">
          <header class="card-head">
            <h2 id="taken-title">Taken</h2>
          </header>
          <ul class="taken">
            {taken.map((one) => (
              <TakenRow key={toHex(one.hash)} taken={one} found={found} />
            ))}
          </ul>
        </section>
      )}
    </Page>
  )
}

function TakenRow({
  taken: { hash, height },
  found,
}: {
  readonly taken: Taken
  readonly found: (hash: Uint8Array, height: number) => void
}) {
  const top = useValue(live.status)?.height ?? 0
  const index = useValue(live.info)?.transactionIndex === true
  // Each new block may hold it.
  useEffect(() => {
    if (height !== undefined || !index) return undefined
    const controller = new AbortController()
    client.transaction(hash, { signal: controller.signal }).then(
      ({ transaction }) => found(hash, transaction.height),
      () => {
        // Not yet.
      },
    )
    return () => controller.abort()
  }, [top, height, index])
  return (
    <li>
      <FullHash bytes={hash} what="transaction hash" />
      <p class="muted">
        {height === undefined ? (
          index ? (
            'waits for its block…'
          ) : (
            'taken; this node keeps no index that would say which block it is in'
          )
        ) : (
          <>
            in <Link to={blockPath(height)}>block {formatCount(height)}</Link>
            {' · '}
            <Link to={transactionPath(toHex(hash))}>see the transaction</Link>
          </>
        )}
      </p>
    </li>
  )
}
