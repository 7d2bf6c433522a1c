import { live } from '../node.ts'
import { useValue } from '../value.ts'

/** Says when the node cannot be reached, as long as that is so. */
export function LostNote() {
  const connection = useValue(live.connection)
  return (
    <div class="lost-place" role="status">
      {connection.state === 'lost' ? (
        <p class="lost">
          <span class="pulse" aria-hidden="true" />
          Connection lost: {connection.why} Trying again…
        </p>
      ) : null}
    </div>
  )
}
