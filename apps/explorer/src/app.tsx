import { Announcer } from './announce.tsx'
import { AvailabilityPage } from './pages/availability.tsx'
import { BlockPage } from './pages/block.tsx'
import { BlocksPage } from './pages/blocks.tsx'
import { HomePage } from './pages/home.tsx'
import { MissingPage } from './pages/missing.tsx'
import { PeersPage } from './pages/peers.tsx'
import { SubmitPage } from './pages/submit.tsx'
import { TransactionAtPage, TransactionPage } from './pages/transaction.tsx'
import { LostNote } from './parts/lost.tsx'
import { TopBar } from './parts/top-bar.tsx'
import { route } from './router.tsx'
import type { Route } from './routes.ts'
import { useValue } from './value.ts'

/** The whole page. */
export function App() {
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <TopBar />
      <LostNote />
      <Shown route={useValue(route)} />
      <Announcer />
    </>
  )
}

function Shown({ route: shown }: { readonly route: Route }) {
  switch (shown.page) {
    case 'home':
      return <HomePage />
    case 'blocks':
      return <BlocksPage from={shown.from} />
    case 'block':
      return <BlockPage id={shown.id} offset={shown.offset} />
    case 'transaction':
      return <TransactionPage hash={shown.hash} />
    case 'transaction-at':
      return <TransactionAtPage height={shown.height} index={shown.index} />
    case 'peers':
      return <PeersPage />
    case 'availability':
      return <AvailabilityPage />
    case 'submit':
      return <SubmitPage />
    case 'missing':
      return <MissingPage />
  }
}
