// Made by `flowmon schema` from flowmon/facts.py, findings.py, commands.py and feed/messages.py. Do not edit.
// Facts and findings: times are seconds since the epoch. Feed frames: times are milliseconds since the epoch.

/**
 * People counted across a line, in one of three kinds that must never be mixed.
 *
 * event: `forward`/`backward` crossings happened at `at`.
 * window: crossings between `start` and `end`; `complete` is the share of the window that was observed (0..1).
 * cumulative: a register as it stands at `at`; only intake turns registers into crossings.
 */
export interface Count {
  type: "count";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  counter: string;
  kind: "cumulative" | "event" | "window";
  forward?: number;
  backward?: number;
  line?: string;
  start?: number;
  end?: number;
  complete?: number;
}

/** People a sensor saw standing in an area at `at` (a state, not a flow). */
export interface ZoneCount {
  type: "zone_count";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  zone: string;
  people: number;
}

/** A sensor that measures a queue itself: people waiting, and the mean wait of those who left, in seconds. */
export interface QueueReading {
  type: "queue_reading";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  queue: string;
  length?: number | null;
  wait_s?: number | null;
  outflow?: number | null;
  start?: number;
  end?: number;
}

/** A receiver heard a beacon once. `beacon` is a keyed token made in the gateway, never a raw address. */
export interface Sighting {
  type: "sighting";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  beacon: string;
  receiver: string;
  rssi_dbm: number;
}

/** A beacon is believed in a zone with `probability` until `expires`, when silence means it left. */
export interface Presence {
  type: "presence";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  beacon: string;
  zone: string;
  probability: number;
  expires: number;
}

/** People served at a desk of a queue. `waited_s` where the desk knows it. */
export interface Served {
  type: "served";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  queue: string;
  desk?: string;
  people?: number;
  waited_s?: number | null;
}

/** How many desks of a queue are open from `at` on. */
export interface DesksOpen {
  type: "desks_open";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  queue: string;
  desks: number;
}

/**
 * A device's word about itself: heartbeat, last will, or fault with a reason. `source` is the device.
 *
 * serial: of its hardware, where `source` names the place and not the box. replaced: another box hangs there now.
 * messages, rejected, worst: only the gateway's (source `gateway`): messages of the last minute, how many of them were
 * refused, and the commonest reason in its fixed words, at most 100 characters.
 */
export interface DeviceStatus {
  type: "device_status";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  health: "fault" | "offline" | "online";
  reason?: string;
  firmware?: string;
  battery?: number | null;
  serial?: string;
  replaced?: boolean;
  messages?: number;
  rejected?: number;
  worst?: string;
}

/** Time itself, written once a second by whoever leads. `seq` counts ticks. The only clock of the core. */
export interface Tick {
  type: "tick";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
}

/** A person counted the people in a zone. `command` is the idempotency key of the request. */
export interface Recounted {
  type: "recounted";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  zone: string;
  people: number;
  by: string;
  command?: string;
  note?: string;
}

/** A person took an episode over, having seen its `revision`. */
export interface Acknowledged {
  type: "acknowledged";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  episode: string;
  revision: number;
  by: string;
  command?: string;
  note?: string;
}

/** A person put an episode aside until `until`, with a reason. */
export interface Shelved {
  type: "shelved";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  episode: string;
  revision: number;
  by: string;
  until: number;
  reason: string;
  command?: string;
}

/** A person moved a rule's limits while the venue is running. */
export interface RuleChanged {
  type: "rule_changed";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  rule: string;
  above: number;
  clear: number;
  by: string;
  command?: string;
}

/** Tickets sold so far for the slot from `start` to `end`. */
export interface Booked {
  type: "booked";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  people: number;
  start: number;
  end: number;
}

/** A label, audio guide or screen was consulted in a zone. */
export interface Interaction {
  type: "interaction";
  at: number;
  source: string;
  seen?: number;
  seq?: number;
  simulated?: boolean;
  historical?: boolean;
  zone: string;
  item: string;
}

export type Fact = Count | ZoneCount | QueueReading | Sighting | Presence | Served | DesksOpen | DeviceStatus | Tick | Recounted | Acknowledged | Shelved | RuleChanged | Booked | Interaction;

/**
 * People in a zone. A provisional state moves the shown number at once; the closed one follows the watermark.
 *
 * density: people per square metre. inflow, outflow: people per minute over the last five minutes.
 * truth_age_s: seconds since somebody or something last knew the true number; None when never.
 * raw: the plain in - out balance, shown beside the estimate for audit (may be negative).
 * method, inputs: what made the number (`filter`, `balance`), of what (`counters`, `beacons`, the last truth's kind).
 */
export interface ZoneState {
  type: "zone_state";
  at: number;
  simulated?: boolean;
  zone: string;
  occupancy: number | null;
  lo: number;
  hi: number;
  capacity: number;
  density?: number | null;
  inflow?: number;
  outflow?: number;
  level?: "high" | "normal" | "over" | "unknown";
  quality?: "bad" | "estimated" | "good" | "stale";
  truth_age_s?: number | null;
  method?: string;
  inputs?: string[];
  raw?: number;
  beacons?: number;
  provisional?: boolean;
}

/**
 * People in the whole venue. `entered` counts everyone who came in since opening.
 *
 * count_next: the zone whose recount would take most from the uncertainty of all numbers.
 */
export interface VenueState {
  type: "venue_state";
  at: number;
  simulated?: boolean;
  occupancy: number | null;
  lo: number;
  hi: number;
  capacity: number;
  inflow?: number;
  outflow?: number;
  entered?: number;
  level?: "high" | "normal" | "over" | "unknown";
  quality?: "bad" | "estimated" | "good" | "stale";
  truth_age_s?: number | null;
  count_next?: string;
  provisional?: boolean;
}

/**
 * A queue. Experienced and projected waits are kept apart (ACRIS QueueMeasurement).
 *
 * wait_leaving_s: mean wait of those who left in the last five minutes. wait_p50_s, wait_p90_s: for whoever
 * joins now. throughput: people served per minute. None means unknown, and 0 is said of an empty queue.
 * sign_s: what to promise in public, the 80 % point of the projected wait rounded up to five minutes.
 */
export interface QueueState {
  type: "queue_state";
  at: number;
  simulated?: boolean;
  queue: string;
  length: number | null;
  lo: number;
  hi: number;
  wait_leaving_s?: number | null;
  wait_p50_s?: number | null;
  wait_p90_s?: number | null;
  throughput?: number | null;
  desks?: number | null;
  quality?: "bad" | "estimated" | "good" | "stale";
  method?: string;
  sign_s?: number | null;
}

/**
 * Occupancy of a zone, or of the whole `venue`, expected `horizon_s` seconds after `at`.
 *
 * method: model, or clim_dev where the model knows less or lost for a week; climatology while the number of now is
 * not believed; persistence on a day like none before; closed after closing time.
 * p_over: probability (0..1) that the capacity is reached then; None without a capacity.
 */
export interface Forecast {
  type: "forecast";
  at: number;
  simulated?: boolean;
  zone: string;
  horizon_s: number;
  occupancy: number;
  lo: number;
  hi: number;
  method: string;
  p_over?: number | null;
}

/**
 * People who went from one zone to a neighbour in the closed window `start`..`at`.
 *
 * late: told after that window was; these people come on top of what was told of it, and history is the sum of both.
 * counter: who told them late, as counters of one portal see the same people ("" when not late).
 */
export interface Flow {
  type: "flow";
  at: number;
  simulated?: boolean;
  portal: string;
  origin: string;
  destination: string;
  people: number;
  start: number;
  late?: boolean;
  counter?: string;
}

/** How long beacon carriers stayed in a zone, over the closed window `start`..`at`. `visits` is at least five. */
export interface Dwell {
  type: "dwell";
  at: number;
  simulated?: boolean;
  zone: string;
  visits: number;
  p50_s: number;
  p90_s: number;
  start: number;
}

/**
 * One raise-to-resolve of one rule at one subject. Every change has its own revision.
 *
 * text is a code; screens render it with `value`, `limit` and `unit` in the user's language.
 * cause: the idempotency key of the command that caused the change, when one did.
 */
export interface EpisodeChanged {
  type: "episode";
  at: number;
  simulated?: boolean;
  episode: string;
  rule: string;
  subject: string;
  state: "ACKED" | "NORM" | "RTNUN" | "SHLVD" | "UNACK";
  severity: "critical" | "high" | "low" | "medium";
  revision: number;
  raised_at: number;
  text: string;
  value?: number | null;
  limit?: number | null;
  unit?: string;
  quality?: "bad" | "estimated" | "good" | "stale";
  by?: string;
  note?: string;
  until?: number | null;
  cause?: string;
}

/**
 * A counter or receiver: its health since when and why, what it blinds or makes doubtful, and its clock.
 *
 * clock_skew_s: gateway - device. time_source: whose time its reports are given: its own, its own shifted by a
 * known error, or the gateway's. messages, rejected, worst: of the gateway, messages of the last minute, those refused
 * and the commonest reason; None of other devices.
 */
export interface DeviceState {
  type: "device_state";
  at: number;
  simulated?: boolean;
  device: string;
  kind: "counter" | "gateway" | "receiver";
  health: "fault" | "good" | "late" | "silent" | "suspect" | "unknown";
  since: number;
  reason?: string;
  last_at?: number | null;
  zones?: string[];
  clock_skew_s?: number | null;
  time_source?: "device" | "gateway" | "shifted";
  messages?: number | null;
  rejected?: number | null;
  worst?: string;
}

/**
 * A number was changed by something else than a crossing: who, why, and by how much.
 *
 * beacons: carriers are elsewhere than the doors say. neighbour: a truth next door. negative: fewer than nobody.
 * usual: a door beside it does not see.
 */
export interface Correction {
  type: "correction";
  at: number;
  simulated?: boolean;
  zone: string;
  before: number;
  after: number;
  reason: "beacons" | "closing" | "late" | "negative" | "neighbour" | "recount" | "usual" | "zone-sensor";
  by: string;
  note?: string;
  cause?: string;
}

/**
 * People a counter brought into a zone and out of it, gains applied. gain: people per counted person.
 *
 * counted_in, counted_out: what the counter itself said since the base. Several counters of one portal share its
 * people; a silent one is taken at its usual rate.
 */
export interface DoorAccount {
  counter: string;
  entered: number;
  left: number;
  gain_in: number;
  gain_out: number;
  counted_in?: number;
  counted_out?: number;
}

/**
 * Why a zone's closed number is what it is: value = base + entered - left over `doors` + all of `evidence`.
 *
 * The number shown is `value`, cut at zero. base: the number after the last truth of this zone, at `base_at`, told by
 * `base_by` (`start` when never). evidence: people that beacons, an impossible number (`negative`) or a truth next
 * door (`truth`) brought since; `lent`: lent by neighbours to an impossible number; `window`: probably seen by
 * counters since their last report; `balance`: what the plain balance says otherwise while it is shown instead.
 * beacon_share: people per person who carry a beacon, where beacons are used.
 */
export interface Explained {
  type: "explained";
  at: number;
  simulated?: boolean;
  zone: string;
  value: number;
  sd: number;
  base: number;
  base_by: string;
  base_at?: number | null;
  doors?: DoorAccount[];
  evidence?: Record<string, number>;
  beacon_share?: number | null;
  method?: string;
}

/**
 * A fact or message that could not be used, with the reason in words that say what to do about it.
 *
 * raw: the scrubbed, bounded bytes (base64) where they came from outside. device, headers: who sent them, as far as
 * the route knew, and what HTTP said of them. cause: a refused command's key, or the reject that was read again.
 */
export interface Rejected {
  type: "rejected";
  at: number;
  simulated?: boolean;
  source: string;
  reason: string;
  topic?: string;
  dialect?: string;
  raw?: string;
  cause?: string;
  device?: string;
  headers?: Record<string, string>;
}

export type Finding = ZoneState | VenueState | QueueState | Forecast | Flow | Dwell | EpisodeChanged | DeviceState | Correction | Explained | Rejected;

/** Take an episode over. Refused with `stale_rev` when the episode has moved on since `rev`. */
export interface Acknowledge {
  t: "cmd";
  do: "ack";
  id: number;
  idem: string;
  alert: string;
  rev: number;
  note?: string;
}

/** Put an episode aside for `minutes` (1..120) with a reason. */
export interface Shelve {
  t: "cmd";
  do: "shelve";
  id: number;
  idem: string;
  alert: string;
  rev: number;
  minutes: number;
  reason: string;
}

/** Report how many people somebody counted in a zone. */
export interface Recount {
  t: "cmd";
  do: "recount";
  id: number;
  idem: string;
  zone: string;
  people: number;
  note?: string;
}

/** Move a rule's limits. */
export interface ChangeRule {
  t: "cmd";
  do: "change_rule";
  id: number;
  idem: string;
  rule: string;
  above: number;
  clear: number;
}

export type Command = Acknowledge | Shelve | Recount | ChangeRule;

/** Which page speaks, for the log and for the version check. */
export interface App {
  name?: string;
  ver?: string;
}

/** The first message, within HELLO_S seconds. */
export interface Hello {
  t: "hello";
  v: number;
  token?: string;
  app?: App;
  lang?: string;
}

/** Which keys of a channel: on one of the floors and among the ids. Empty means all. */
export interface Where {
  floor?: string[];
  id?: string[];
}

/** What the client already has of a channel. */
export interface Since {
  epoch: string;
  seq: number;
}

/**
 * Subscribe to a channel, or again with another `where` or after a gap. `max_hz` bounds state deltas.
 *
 * last: of a log, tell so many of its latest events first, as far as they are still here.
 */
export interface Sub {
  t: "sub";
  ch: string;
  id?: number;
  where?: Where;
  max_hz?: number | null;
  since?: Since | null;
  venue?: string;
  last?: number;
}

/** No more of a channel. */
export interface Unsub {
  t: "unsub";
  ch: string;
  id?: number;
  venue?: string;
}

/** Credit: everything up to these sequence numbers has been painted, `seen_ms` after it arrived. */
export interface Ok {
  t: "ok";
  seq: Record<string, number>;
  seen_ms?: number | null;
}

/** A venue that this feed tells of. */
export interface VenueName {
  id: string;
  name: string;
}

/**
 * The first frame of the feed. `at`, `now`: the venue's clock; `rate`: its seconds per second.
 *
 * hb_ms: a heartbeat comes so often. can: the commands this client may give. min_ver: the oldest page.
 */
export interface Welcome {
  t: "welcome";
  sid: string;
  epoch: string;
  now: string;
  at: number;
  hb_ms: number;
  mode: string;
  rate: number;
  simulated: boolean;
  venue: string;
  venues: VenueName[];
  role: "admin" | "agent" | "manager" | "viewer";
  by: string;
  can: string[];
  ver: string;
  min_ver: string;
}

/**
 * Everything a channel shows, key to fields; with `partial`, what changed since the client was here.
 *
 * id: of the subscription it answers. gap: events of a log channel were lost for ever.
 */
export interface Snap {
  t: "snap";
  ch: string;
  epoch: string;
  seq: number;
  at: number;
  z: Record<string, Record<string, unknown> | null>;
  id?: number;
  venue?: string;
  partial?: boolean;
  gap?: boolean;
}

/**
 * What changed: an absent field is unchanged, a key with `null` is gone.
 *
 * `from`..`to` covers merged and filtered-out changes too: unless `from` follows the last `to`, subscribe again.
 */
export interface Delta {
  t: "delta";
  ch: string;
  from: number;
  to: number;
  at: number;
  z: Record<string, Record<string, unknown> | null>;
  venue?: string;
}

/** Channel `alerts`. See EpisodeChanged. */
export interface AlertShown {
  at: number;
  sim?: boolean;
  id: string;
  key: string;
  rule: string;
  subject: string;
  state: "ACKED" | "NORM" | "RTNUN" | "SHLVD" | "UNACK";
  pri: "critical" | "high" | "low" | "medium";
  rev: number;
  raised: number;
  text: string;
  value: number | null;
  limit: number | null;
  unit: string;
  q: "bad" | "estimated" | "good" | "stale";
  by: string;
  note: string;
  until: number | null;
}

/** One event of a log channel, in order, none left out: `alert` on `alerts`, `audit` on `audit`. */
export interface Ev {
  t: "ev";
  ch: string;
  seq: number;
  alert?: AlertShown;
  audit?: Record<string, unknown>;
  venue?: string;
}

/**
 * The answer to a command, once the core has taken or refused it.
 *
 * rev: the episode's new revision. code, reason: why not. retry: whether trying again can help. cur: the
 * episode as it stands.
 */
export interface Res {
  t: "res";
  id: number;
  ok: boolean;
  rev?: number;
  code?: string;
  reason?: string;
  retry?: boolean;
  cur?: Record<string, unknown>;
}

/** Proof of life. seq: where each subscription stands. lag_ms: the venue's clock minus the newest finding. */
export interface Hb {
  t: "hb";
  at: number;
  seq: Record<string, number>;
  lag_ms: number | null;
  simulated?: boolean;
}

/** Channel `zones`, key: the zone. See ZoneState for what the fields mean. */
export interface ZoneShown {
  at: number;
  sim?: boolean;
  occ: number | null;
  lo: number;
  hi: number;
  cap: number;
  dens: number | null;
  in: number;
  out: number;
  lvl: "high" | "normal" | "over" | "unknown";
  q: "bad" | "estimated" | "good" | "stale";
  age: number | null;
  m: string;
  inp: string[];
  raw: number;
  bcn: number;
  prov: boolean;
}

/** Channel `queues`, key: the queue. See QueueState. */
export interface QueueShown {
  at: number;
  sim?: boolean;
  len: number | null;
  lo: number;
  hi: number;
  leaving: number | null;
  p50: number | null;
  p90: number | null;
  thr: number | null;
  desks: number | null;
  q: "bad" | "estimated" | "good" | "stale";
  m: string;
  sign: number | null;
}

/**
 * Channel `sensors`, key: the counter, receiver or gateway. See DeviceState.
 *
 * msgs, rej, worst: only of the gateway: messages of the last minute, those refused, the commonest reason.
 */
export interface DeviceShown {
  at: number;
  sim?: boolean;
  kind: "counter" | "gateway" | "receiver";
  health: "fault" | "good" | "late" | "silent" | "suspect" | "unknown";
  since: number;
  reason: string;
  last: number | null;
  zones: string[];
  skew: number | null;
  time: "device" | "gateway" | "shifted";
  msgs?: number;
  rej?: number;
  worst?: string;
}

/** Channel `forecast`, key `zone/horizon`. See Forecast. */
export interface ForecastShown {
  at: number;
  sim?: boolean;
  zone: string;
  horizon: number;
  occ: number | null;
  lo: number;
  hi: number;
  m: string;
  over: number | null;
}

/** Channel `kpi`, key `venue`. See VenueState. */
export interface VenueShown {
  at: number;
  sim?: boolean;
  occ: number | null;
  lo: number;
  hi: number;
  cap: number;
  in: number;
  out: number;
  entered: number;
  lvl: "high" | "normal" | "over" | "unknown";
  q: "bad" | "estimated" | "good" | "stale";
  age: number | null;
  next: string;
  prov: boolean;
}

/**
 * What a counter (`c`) brought into a room and out of it since its base. See DoorAccount.
 *
 * gi, go: gains; ni, no: what it counted itself.
 */
export interface DoorShown {
  c: string;
  in: number;
  out: number;
  gi: number;
  go: number;
  ni: number;
  no: number;
}

/**
 * Channel `why`, key: the zone. Told once a minute. See Explained: v = base + doors + all of ev.
 *
 * v: the closed number, which is shown as zero when below; t: when the base was known, by: what told it.
 */
export interface WhyShown {
  at: number;
  sim?: boolean;
  v: number;
  sd: number;
  base: number;
  by: string;
  t: number | null;
  doors: DoorShown[];
  ev: Record<string, number>;
  share: number | null;
  m: string;
}

/** What each channel of the feed shows. */
export interface Channels {
  zones: ZoneShown;
  queues: QueueShown;
  sensors: DeviceShown;
  forecast: ForecastShown;
  kpi: VenueShown;
  why: WhyShown;
  alerts: AlertShown;
}
