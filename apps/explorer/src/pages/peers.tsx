import type { PeerConnection } from 'evolve-node/client'
import { countOf } from '../format.ts'
import { client, live } from '../node.ts'
import { Age } from '../parts/age.tsx'
import { Field, Fields } from '../parts/fields.tsx'
import { CopyButton } from '../parts/hash.tsx'
import { Page } from '../parts/page.tsx'
import { Answered, Nothing } from '../parts/states.tsx'
import { useFresh } from '../query.ts'
import { useValue } from '../value.ts'

/** Milliseconds between two looks at the peers. */
const EVERY = 2_000

/** Who the node is connected to. */
export function PeersPage() {
  const peers = useValue(live.status)?.peers ?? 0
  const query = useFresh('peers', EVERY, async (signal) => await client.peers({ signal }), peers)
  return (
    <Page
      title="Peers"
      aside={
        query.value === undefined ? null : (
          <p class="muted">{countOf(query.value.peers.length, 'connection')}</p>
        )
      }
    >
      <Answered query={query} what="the peers">
        {(network) => (
          <>
            <section class="card" aria-labelledby="self-title">
              <header class="card-head">
                <h2 id="self-title">This node</h2>
              </header>
              <Fields>
                <Field name="Peer id">
                  <Copied text={network.peerId} what="peer id of this node" />
                </Field>
                <Field name="Listens on">
                  {network.addresses.length === 0 ? (
                    <span class="muted">nothing</span>
                  ) : (
                    <ul class="plain">
                      {network.addresses.map((address) => (
                        <li key={address}>
                          <Copied text={address} what="address of this node" />
                        </li>
                      ))}
                    </ul>
                  )}
                </Field>
              </Fields>
            </section>
            {network.peers.length === 0 ? (
              <Nothing>The node has no connection to a peer.</Nothing>
            ) : (
              <ul class="peers" aria-label="Connections">
                {network.peers.map((peer) => (
                  <Peer key={`${peer.peer} ${peer.openedAt} ${peer.address}`} peer={peer} />
                ))}
              </ul>
            )}
          </>
        )}
      </Answered>
    </Page>
  )
}

function Copied({ text, what }: { readonly text: string; readonly what: string }) {
  return (
    <span class="full-hash">
      <code>{text}</code>
      <CopyButton text={text} what={what} />
    </span>
  )
}

function Peer({ peer: one }: { readonly peer: PeerConnection }) {
  const { peer, address, direction, openedAt, encryption, protocols, agent, configured } = one
  return (
    <li class="card peer">
      <header class="peer-head">
        <h2>
          <code title={peer}>{peer}</code>
        </h2>
        <CopyButton text={peer} what="peer id" />
      </header>
      <p class="badges">
        <span class={`badge ${direction}`}>{direction === 'outbound' ? '↗ outbound' : '↙ inbound'}</span>
        {configured ? <span class="badge">configured</span> : null}
        {encryption === undefined ? null : (
          <span class="badge">{encryption.split('/')[1] ?? encryption}</span>
        )}
        <span class="muted">
          connected <Age time={openedAt} />
        </span>
      </p>
      <Fields>
        <Field name="Address">
          <code class="break">{address}</code>
        </Field>
        <Field name="Software">
          {agent === '' ? <span class="muted">not said yet</span> : <bdi>{agent}</bdi>}
        </Field>
      </Fields>
      <details class="protocols">
        <summary>{countOf(protocols.length, 'protocol')}</summary>
        <ul class="plain">
          {protocols.map((protocol) => (
            <li key={protocol}>
              <code class="break">{protocol}</code>
            </li>
          ))}
        </ul>
      </details>
    </li>
  )
}
