import { createValue, useValue } from './value.ts'

const said = createValue({ text: '', number: 0 })

/** Has a screen reader say `text`, once it is done with what it says. For what a person waits for, not for news. */
export function announce(text: string): void {
  said.set({ text, number: said.get().number + 1 })
}

/** Where {@link announce} writes to. */
export function Announcer() {
  const { text, number } = useValue(said)
  return (
    <div class="unseen" role="status" aria-live="polite">
      <span key={number}>{text}</span>
    </div>
  )
}
