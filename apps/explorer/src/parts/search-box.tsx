import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { client } from '../node.ts'
import { navigate } from '../router.tsx'
import { search } from '../search.ts'
import { SearchIcon } from './icons.tsx'

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]')
}

/** Finds a block or a transaction. The slash key leads here. */
export function SearchBox() {
  const field = useRef<HTMLInputElement>(null)
  const [why, setWhy] = useState('')
  const [busy, setBusy] = useState<AbortController | undefined>(undefined)

  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
        return
      event.preventDefault()
      field.current?.focus()
      field.current?.select()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])

  async function find(): Promise<void> {
    busy?.abort()
    const controller = new AbortController()
    setBusy(controller)
    const found = await search(client, field.current?.value ?? '', controller.signal)
    if (controller.signal.aborted) return
    setBusy(undefined)
    if ('why' in found) {
      setWhy(found.why)
      field.current?.focus()
      return
    }
    setWhy('')
    if (field.current !== null) field.current.value = ''
    navigate(found.path)
  }

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return
    busy?.abort()
    setBusy(undefined)
    setWhy('')
    if (field.current !== null && field.current.value !== '') field.current.value = ''
    else field.current?.blur()
  }

  return (
    <search class="search">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void find()
        }}
      >
        <SearchIcon />
        <input
          ref={field}
          type="text"
          name="search"
          inputMode="search"
          autoComplete="off"
          autoCapitalize="off"
          spellcheck={false}
          maxLength={200}
          placeholder="Height or hash"
          aria-label="Find a block or a transaction, by height or hash"
          aria-keyshortcuts="/"
          aria-invalid={why !== ''}
          aria-describedby="search-trouble"
          onInput={() => setWhy('')}
          onKeyDown={onKeyDown}
        />
        <kbd aria-hidden="true">/</kbd>
        <button type="submit" class="unseen-until-focus">
          {busy === undefined ? 'Find' : 'Looking…'}
        </button>
      </form>
      <p id="search-trouble" class="search-trouble" role="alert">
        {why}
      </p>
    </search>
  )
}
