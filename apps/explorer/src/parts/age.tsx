import { every, now } from '../clock.ts'
import { formatAge, formatTime, milliseconds } from '../format.ts'
import { createValue, useValue } from '../value.ts'

const second = createValue(now())
every(1_000, () => second.set(now()))

/** How long ago something was; goes on by itself. */
export function Age({ time }: { readonly time: bigint }) {
  const current = useValue(second)
  const at = milliseconds(time)
  return (
    <time dateTime={new Date(at).toISOString()} title={formatTime(time)}>
      {formatAge(at, Math.max(current, now()))}
    </time>
  )
}
