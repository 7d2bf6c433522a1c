import { DURATIONS, type MetricDefinition } from './definition.ts'

const KIND = '`header` or `data`'
const PROTOCOL = 'protocol of the exchange: that of headers or that of data'

/** Synchronisation of headers and data with peers, and the peers themselves. */
export const SYNC_METRICS: readonly MetricDefinition[] = [
  {
    name: 'header_sync_height',
    type: 'gauge',
    help: 'Highest height that sync has stored without a gap.',
    labels: { kind: KIND },
  },
  {
    name: 'header_sync_target_height',
    type: 'gauge',
    help: 'Height that sync is to reach: the best that proven headers show.',
    labels: { kind: KIND },
  },
  {
    name: 'header_sync_items_total',
    type: 'counter',
    help: 'Headers and data that were stored.',
    labels: { kind: KIND, via: '`gossip`, `range` (asked of peers) or `insert` (made here or found on DA)' },
  },
  {
    name: 'header_sync_run_seconds',
    type: 'histogram',
    help: 'Time of one run of sync towards its target.',
    labels: { kind: KIND },
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1_800],
  },
  {
    name: 'header_sync_faults_total',
    type: 'counter',
    help: 'Wrong items in answers of peers.',
    labels: { kind: KIND },
  },
  {
    name: 'header_sync_bifurcations_total',
    type: 'counter',
    help: 'Headers far ahead that had to be verified by way of those between.',
    labels: { kind: KIND },
  },
  {
    name: 'header_sync_conflicts_total',
    type: 'counter',
    help: 'Valid items that differ from what is stored at their height.',
    labels: { kind: KIND },
  },
  {
    name: 'header_sync_head_requests_total',
    type: 'counter',
    help: 'Times peers were asked for their head.',
    labels: { kind: KIND },
  },
  {
    name: 'header_exchange_response_seconds',
    type: 'histogram',
    help: 'Time peers took to answer.',
    labels: {
      protocol: PROTOCOL,
      end: '`complete`, `short`, `missing`, `empty`, `failed`, `unreachable`, `garbage` or `aborted`',
    },
    buckets: DURATIONS,
  },
  {
    name: 'header_exchange_received_bytes_total',
    type: 'counter',
    help: 'Bytes of the answers of peers.',
    labels: { protocol: PROTOCOL },
  },
  {
    name: 'header_exchange_penalties_total',
    type: 'counter',
    help: 'Peers that sent what no honest peer sends.',
    labels: { protocol: PROTOCOL },
  },
  {
    name: 'header_exchange_tracked_peers',
    type: 'gauge',
    help: 'Peers that can be asked.',
    labels: { protocol: PROTOCOL },
  },
  {
    name: 'header_exchange_requests_served_total',
    type: 'counter',
    help: 'Requests of peers that were answered.',
    labels: { protocol: PROTOCOL, outcome: 'how' },
  },
  {
    name: 'header_exchange_items_served_total',
    type: 'counter',
    help: 'Headers and data sent to peers that asked.',
    labels: { protocol: PROTOCOL },
  },
  {
    name: 'header_gossip_messages_total',
    type: 'counter',
    help: 'Gossip messages judged.',
    labels: { kind: KIND, verdict: '`accept`, `ignore` or `reject` (invalid)' },
  },
  {
    name: 'header_gossip_bytes_total',
    type: 'counter',
    help: 'Bytes of the gossip messages judged.',
    labels: { kind: KIND },
  },
  {
    name: 'header_gossip_sent_total',
    type: 'counter',
    help: 'Headers and data that this node gave to gossip.',
    labels: { kind: KIND },
  },
  {
    name: 'p2p_gossip_messages_total',
    type: 'counter',
    help: 'Gossip messages that came, of all topics.',
    labels: { verdict: '`accept`, `ignore` or `reject` (invalid)' },
  },
  { name: 'p2p_peers', type: 'gauge', initial: 0, help: 'Peers that are connected.', known: true },
  {
    name: 'p2p_connections',
    type: 'gauge',
    help: 'Open connections to peers.',
    labels: { direction: '`inbound` or `outbound`' },
  },
  {
    name: 'p2p_bans_total',
    type: 'counter',
    help: 'Peers that were banned or disconnected for what they did.',
  },
  {
    name: 'p2p_message_receive_bytes_total',
    type: 'counter',
    help: 'Bytes of messages from peers.',
    labels: { message_type: 'topic of gossip, or protocol of a request' },
    known: true,
  },
  {
    name: 'p2p_message_send_bytes_total',
    type: 'counter',
    help: 'Bytes of messages to peers; gossip counts once for each peer it went to at first.',
    labels: { message_type: 'topic of gossip, or protocol of a request' },
    known: true,
  },
]
