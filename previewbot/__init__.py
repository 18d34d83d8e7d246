"""previewbot: a running copy of the app for every pull request.

Core decides, wire translates, the engine drives, adapters touch. Imports point inward; `lint-imports` checks it.

    core/       facts and pure rules; the standard library alone
    wire/       webhooks, YAML and commands to core's facts, and facts to Markdown; pure as well
    ports/      what the engine and the web need of the world, as protocols
    engine/     observes, asks core for a plan, acts on it, tells people, settles
    adapters/   GitHub, git, Docker, BuildKit, Kubernetes, Caddy, AWS, secrets and the database, behind the ports
    web/        the door for webhooks, and the pages; it never acts on an environment
    places/     what builds, runs and routes: on one machine, or in a cluster
    settings/   the operator's configuration
    app.py      opens all of this from the settings and runs it as one process; telemetry.py has its log and metrics
    cli/        what the command line does beside `serve`
    demo/       a simulated GitHub, and the stage of `make demo`

A webhook becomes a running preview in seven hops. The process may die between any two of them.

    1. web/webhook.py checks the size and the signature of the raw bytes. Until hop 3 nothing is stored.
    2. wire/events.py reads the payload as a hint: which topics deserve a look, and what somebody asked for.
       A topic is a `Key` (the environment of one pull request) or a `Survey` (a look at a whole repository).
    3. adapters/store/ writes the delivery, its asks and its topics in one transaction; then GitHub gets its 202.
    4. engine/worker.py leases one topic. A lease that is not renewed lapses, and another worker takes it.
    5. engine/observe.py reads the pull request and, where its code is trusted, the blueprint;
       engine/approach.py reads what runs and what is remembered.
    6. core/desire.py says what should run; core/plan.py says the next step, and always a status with its reason.
    7. engine/act.py takes that step, and engine/publish.py brings the comment and the deployment up to date.
       approach then looks again, until it has to wait; a later wake-up begins at hop 4.

After hop 3 the payload is forgotten: a pass decides only from what it reads itself. So engine/sweep.py can send every
environment through the same hops at the start and every few minutes, and lost webhooks, orphans and drift are not
special cases. Every effect may be done twice.

What goes wrong has three names: `Transient` is tried again later, `Refused` needs a person, and a `Flaw` is a value
that says where the blueprint is wrong. Anything else is a bug; only engine/worker.py retries.

Where to add what:

    a comment command   `Command` in core/model/asks.py, `TABLE` in wire/commands.py, its case in engine/publish.py
    a rule              core/trust.py (may this code run?) or core/desire.py (should it?), with a `Reason` in
                        core/model/reasons.py and its sentence in wire/sentences.py
    a runtime           an adapter for `Runtime`, `Builder` and `FrontDoor`; a module in places/ and its case in
                        places/__init__.py; settings/places.py
    a secret store      an adapter for `Secrets`, its name in settings/stores.py, its line in `open_secrets` of app.py
    a blueprint key     core/blueprint.py and, in wire/blueprint/, its shape, translation and text; `make schema`
    a setting           settings/, and its default in config/previewbot.yaml

CONTRIBUTING.md says how to test each of them.
"""
