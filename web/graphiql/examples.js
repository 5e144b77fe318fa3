// Queries for the demo plant, each of them opened as a tab on the first visit.
export const examples = [
  {
    query: `# The organizations, what they run, and how many machines each application has.
query Plant {
  organizations(first: 10) {
    totalCount
    nodes {
      organizationId
      name
      applications {
        applicationId
        name
        deviceCount
      }
    }
  }
}
`,
  },
  {
    query: `# Machines with their connectors and events: the number of store calls does not grow with the list.
query Machines($organization: String!) {
  organization(organizationId: $organization) {
    name
    applications {
      name
      devices(first: 20, orderBy: { field: MACHINE_ID }) {
        totalCount
        nodes {
          machineId
          name
          connectors {
            name
            driver
          }
          eventBindings {
            label
            eventClass {
              type
              authValues
            }
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
}
`,
    variables: { organization: "ferro-works" },
  },
  {
    query: `# One machine, and what it is related to.
query OneMachine($machine: String!) {
  device(organizationId: "ferro-works", applicationId: "cnc-monitoring", machineId: $machine) {
    id
    name
    properties
    updatedAt
    connectors {
      name
      devices(first: 5) {
        totalCount
        nodes {
          machineId
        }
      }
    }
  }
}
`,
    variables: { machine: "LATHE-01" },
  },
  {
    query: `# A month of one machine: pieces by the day, alarms, what it did this week.
query Month($machine: String!) {
  device(organizationId: "ferro-works", applicationId: "cnc-monitoring", machineId: $machine) {
    name
    status { power execution at stale }
    pieces: counter(
      measurement: "production"
      field: "pieces_produced"
      range: { last: "P30D" }
      every: { unit: DAY }
      timeZone: "Europe/Berlin"
    ) { increase windows { start increase } }
    states(range: { last: "P7D" }) { durations { value duration share } }
    events(first: 5, classes: ["ALARM"], range: { last: "P30D" }) { nodes { time value } }
  }
}
`,
    variables: { machine: "LATHE-01" },
  },
];
