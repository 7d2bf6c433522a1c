import { Page } from '../parts/page.tsx'
import { Link } from '../router.tsx'

/** An address that names nothing. */
export function MissingPage() {
  return (
    <Page title="Nothing here">
      <p class="note">
        This address names no page. <Link to="/">See the chain</Link>, or look for a block or a transaction
        above.
      </p>
    </Page>
  )
}
