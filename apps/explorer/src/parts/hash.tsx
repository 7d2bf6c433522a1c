import { toHex } from 'evolve-node/client'
import { useEffect, useState } from 'preact/hooks'
import { announce } from '../announce.tsx'
import { after } from '../clock.ts'
import { shortHash } from '../format.ts'
import { CheckIcon, CopyIcon } from './icons.tsx'

/** Pages that were not loaded over TLS have no clipboard: then the text is selected and copied as by hand. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const field = document.createElement('textarea')
    field.value = text
    field.className = 'unseen'
    document.body.append(field)
    field.select()
    const done = document.execCommand('copy')
    field.remove()
    return done
  }
}

/** Copies `text`; `what` names it. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => (copied ? after(1_600, () => setCopied(false)) : undefined), [copied])
  const click = async (event: MouseEvent): Promise<void> => {
    const button = event.currentTarget
    const done = await copy(text)
    // Copying by hand moves the focus.
    if (button instanceof HTMLElement) button.focus()
    setCopied(done)
    announce(done ? `Copied ${what}` : `Could not copy ${what}`)
  }
  return (
    <button
      type="button"
      class={copied ? 'copy copied' : 'copy'}
      aria-label={`Copy ${what}`}
      title={`Copy ${what}`}
      onClick={(event) => void click(event)}
    >
      {copied ? <CheckIcon /> : <CopyIcon />}
    </button>
  )
}

interface FullHashProps {
  readonly bytes: Uint8Array
  /** Names them. */
  readonly what: string
  /** Whether zeros at the beginning stand back. */
  readonly dim?: boolean
}

/** Bytes as hex, in full, to be copied. */
export function FullHash({ bytes, what, dim = false }: FullHashProps) {
  if (bytes.length === 0) return <span class="muted">none</span>
  const text = toHex(bytes)
  const zeros = dim ? (/^(?:00)*/.exec(text)?.[0].length ?? 0) : 0
  return (
    <span class="full-hash">
      <code>
        <span class="dim">{text.slice(0, zeros)}</span>
        {text.slice(zeros)}
      </code>
      <CopyButton text={text} what={what} />
    </span>
  )
}

/** Both ends of a hash. */
export function ShortHash({ bytes }: { readonly bytes: Uint8Array }) {
  return <code title={toHex(bytes)}>{shortHash(bytes)}</code>
}
